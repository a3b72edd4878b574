//! What admins do for all accounts.

use keygate_control::Signup;
use keygate_core::Role;
use serde_json::{Value, json};

use crate::support::{Options, PASSWORD, TestApp};

/// An app with an admin; and the admin's cookie.
async fn app() -> (TestApp, String) {
    let app = TestApp::with(Options {
        signup: Signup::Invite,
        ..Options::default()
    });
    let cookie = app.account_as("admin@example.com", Role::Admin).await;
    app.clock.advance_millis(1);
    (app, cookie)
}

async fn accounts(app: &TestApp, cookie: &str, query: &str) -> Value {
    let call = app.get(&format!("/api/admin/accounts{query}"));
    let listed = call.cookie(cookie).send().await;
    assert_eq!(listed.status, 200, "{listed}");
    listed.json()
}

async fn id_of(app: &TestApp, email: &str) -> String {
    let account = app.control.get_account(email).await;
    account.expect("it is there").id.to_string()
}

#[tokio::test]
async fn members_are_told_that_it_is_for_admins() {
    let (app, _) = app().await;
    let cookie = app.account("ada@example.com").await;
    let before = app.audited().await;
    for route in keygate_web::routes() {
        if !route.path.starts_with("/api/admin/") {
            continue;
        }
        let path = route
            .path
            .replace("{id}", &id_of(&app, "admin@example.com").await)
            .replace("{update_id}", "x");
        let call = app.call(route.method.as_str(), &path).cookie(&cookie);
        let answer = call.send().await;
        assert_eq!(answer.summary(), r#"403 "admin_required" null"#, "{path}");
    }
    assert_eq!(app.audited().await, before);
}

#[tokio::test]
async fn accounts_are_listed_with_their_keys() {
    let (app, cookie) = app().await;
    let ada = app.account("ada@example.com").await;
    app.key(&ada, r#"{"name":"a"}"#).await;
    let off = app.key(&ada, r#"{"name":"b"}"#).await;
    let path = format!("/api/keys/{}", off["id"].as_str().expect("an id"));
    app.patch(&path)
        .cookie(&ada)
        .json(r#"{"is_active":false}"#)
        .send()
        .await;
    insta::assert_snapshot!(app.get("/api/admin/accounts").cookie(&cookie).send().await);
    let found = accounts(&app, &cookie, "?search=ADA%40").await;
    assert_eq!(found[0]["email"], "ada@example.com");
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    let after = id_of(&app, "admin@example.com").await;
    assert_eq!(
        accounts(&app, &cookie, &format!("?after={after}")).await,
        found
    );
    let bad = app
        .get("/api/admin/accounts?after=x")
        .cookie(&cookie)
        .send()
        .await;
    assert_eq!(bad.summary(), r#"400 "invalid_parameter" "after""#);
}

#[tokio::test]
async fn a_suspended_account_is_shut_until_it_is_resumed() {
    let (app, cookie) = app().await;
    let ada = app.account("ada@example.com").await;
    let id = id_of(&app, "ada@example.com").await;
    let change = async |what: &str| {
        let path = format!("/api/admin/accounts/{id}/{what}");
        app.post(&path).cookie(&cookie).send().await.status
    };
    assert_eq!(change("suspend").await, 204);
    let ended = app.get("/api/session").cookie(&ada).send().await;
    assert_eq!(ended.summary(), r#"401 "session_expired" null"#);
    assert!(accounts(&app, &cookie, "").await[1]["suspended_at"].is_string());
    assert_eq!(change("resume").await, 204);
    app.sign_in("ada@example.com").await;
    let audited = app.audited().await;
    assert!(audited.contains(&"account.suspend".into()));
    assert!(audited.contains(&"account.resume".into()));
}

#[tokio::test]
async fn nobody_suspends_or_resets_their_own_account() {
    let (app, cookie) = app().await;
    let id = id_of(&app, "admin@example.com").await;
    for what in ["suspend", "password-reset"] {
        let path = format!("/api/admin/accounts/{id}/{what}");
        let refused = app.post(&path).cookie(&cookie).send().await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(refused);
        }
    }
    assert_eq!(
        app.get("/api/session").cookie(&cookie).send().await.status,
        200
    );
}

#[tokio::test]
async fn unknown_accounts_are_not_found() {
    let (app, cookie) = app().await;
    for id in ["0197593d-1c00-7000-8000-000000000000", "x"] {
        for what in ["suspend", "resume", "password-reset"] {
            let path = format!("/api/admin/accounts/{id}/{what}");
            let answer = app.post(&path).cookie(&cookie).send().await;
            assert_eq!(answer.summary(), r#"404 "not_found" null"#, "{path}");
        }
    }
}

#[tokio::test]
async fn links_lead_to_where_they_say() {
    let (app, cookie) = app().await;
    app.account("ada@example.com").await;
    let id = id_of(&app, "ada@example.com").await;
    let link = async |path: &str| {
        let made = app.post(path).cookie(&cookie).send().await;
        assert_eq!(made.status, 201, "{made}");
        assert!(made.json()["expires_at"].is_string());
        made.json()["link"].as_str().expect("a link").to_owned()
    };
    let reset = link(&format!("/api/admin/accounts/{id}/password-reset")).await;
    let token = reset.strip_prefix("http://127.0.0.1:8080/reset-password?token=");
    let body = json!({"token": token, "password": "a wholly different set of words"});
    let done = app
        .post("/api/account/password-reset")
        .json(&body.to_string());
    assert_eq!(done.send().await.status, 204);

    let invitation = link("/api/admin/invitations").await;
    let token = invitation.strip_prefix("http://127.0.0.1:8080/signup?token=");
    let body = json!({"email": "bob@example.com", "password": PASSWORD, "invitation": token});
    let made = app
        .post("/api/accounts")
        .json(&body.to_string())
        .send()
        .await;
    assert_eq!(made.status, 201, "{made}");
    assert_eq!(made.json()["role"], "member");
}

#[tokio::test]
async fn the_record_is_listed_and_filtered() {
    let (app, cookie) = app().await;
    let ada = app.account("ada@example.com").await;
    let key = app.key(&ada, r#"{"name":"a"}"#).await;
    let id = key["id"].as_str().expect("an id");
    app.delete(&format!("/api/keys/{id}"))
        .cookie(&ada)
        .send()
        .await;
    let list = async |query: &str| {
        let call = app.get(&format!("/api/admin/audit{query}"));
        call.cookie(&cookie).send().await
    };
    let actions = |list: &Value| -> Vec<String> {
        let entries = list.as_array().expect("an array").iter();
        entries
            .map(|entry| entry["action"].as_str().expect("text").to_owned())
            .collect()
    };
    insta::assert_snapshot!(list("?action=key.issue").await);
    let of_key = list(&format!("?subject={id}")).await.json();
    assert_eq!(actions(&of_key), ["key.revoke", "key.issue"]);
    let before = of_key[0]["id"].to_string();
    let rest = list(&format!("?subject={id}&before={before}")).await.json();
    assert_eq!(actions(&rest), ["key.issue"]);
    let of_ada = list("?account=Ada%40example.com").await.json();
    let expected = [
        "key.revoke",
        "key.issue",
        "session.create",
        "account.create",
    ];
    assert_eq!(actions(&of_ada), expected);
    assert_eq!(
        list("?account=nobody%40example.com").await.json(),
        json!([])
    );
    for (query, param) in [
        ("?action=key.stolen", "action"),
        ("?before=x", "before"),
        ("?account=x", "account"),
    ] {
        let refused = format!(r#"400 "invalid_parameter" "{param}""#);
        assert_eq!(list(query).await.summary(), refused);
    }
}

#[tokio::test]
async fn links_end_when_whoever_made_them_is_no_admin_any_more() {
    let (app, cookie) = app().await;
    app.account("ada@example.com").await;
    let id = id_of(&app, "ada@example.com").await;
    let made = app
        .post(&format!("/api/admin/accounts/{id}/password-reset"))
        .cookie(&cookie)
        .send()
        .await;
    let link = made.json()["link"].as_str().expect("a link").to_owned();
    let admin = app.control.get_account("admin@example.com").await;
    let admin = admin.expect("it is there").id;
    // The last admin would stay one.
    app.account_as("other@example.com", Role::Admin).await;
    let demoted = app.control.set_role(admin, Role::Member).await;
    demoted.expect("the operator may");
    let (_, token) = link.split_once("token=").expect("a token");
    let body = json!({"token": token, "password": "a wholly different set of words"});
    let late = app
        .post("/api/account/password-reset")
        .json(&body.to_string());
    let refused = r#"400 "invalid_parameter" "token""#;
    assert_eq!(late.send().await.summary(), refused);
}

#[tokio::test]
async fn what_cannot_be_there_is_not_found() {
    let (app, cookie) = app().await;
    assert_eq!(accounts(&app, &cookie, "?search=%00").await, json!([]));
}

#[tokio::test]
async fn a_filter_that_is_no_id_is_refused() {
    let (app, cookie) = app().await;
    for subject in [
        "%00",
        "x",
        "",
        "0197593d",
        "{0197593d-1c00-7000-8000-000000000000}",
    ] {
        let list = app.get(&format!("/api/admin/audit?subject={subject}"));
        let refused = list.cookie(&cookie).send().await;
        assert_eq!(refused.summary(), r#"400 "invalid_parameter" "subject""#);
        if !subject.is_empty() {
            let page = app.get(&format!("/admin/audit?subject={subject}"));
            assert_eq!(page.cookie(&cookie).send().await.status, 400);
        }
    }
    let capitals = app.get("/api/admin/audit?subject=0197593D-1C00-7000-8000-00000000000A");
    assert_eq!(capitals.cookie(&cookie).send().await.json(), json!([]));
}
