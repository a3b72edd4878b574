//! One-time links: listed, withdrawn, and ended with what they were made by.

use keygate_control::{Actor, Signup};
use keygate_core::Role;
use serde_json::{Value, json};

use crate::support::{Answer, Options, PASSWORD, TestApp};

const OTHER_PASSWORD: &str = "a wholly different set of words";

/// An app with an admin and a member; and the admin's cookie.
async fn app() -> (TestApp, String) {
    let app = TestApp::with(Options {
        signup: Signup::Invite,
        ..Options::default()
    });
    let cookie = app.account_as("admin@example.com", Role::Admin).await;
    app.account("ada@example.com").await;
    app.clock.advance_millis(1);
    (app, cookie)
}

async fn id_of(app: &TestApp, email: &str) -> String {
    let account = app.control.get_account(email).await;
    account.expect("it is there").id.to_string()
}

/// A link as it is answered, and the token in it.
struct Made {
    id: String,
    token: String,
}

async fn make(app: &TestApp, cookie: &str, path: &str) -> Made {
    let made = app.post(path).cookie(cookie).send().await;
    assert_eq!(made.status, 201, "{made}");
    let text = |name: &str| made.json()[name].as_str().expect("text").to_owned();
    let (_, token) = text("link")
        .split_once("token=")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .expect("a token");
    Made {
        id: text("id"),
        token,
    }
}

/// An invitation and a link for ada's password.
async fn make_both(app: &TestApp, cookie: &str) -> (Made, Made) {
    let reset = format!(
        "/api/admin/accounts/{}/password-reset",
        id_of(app, "ada@example.com").await
    );
    let invitation = make(app, cookie, "/api/admin/invitations").await;
    (invitation, make(app, cookie, &reset).await)
}

async fn list(app: &TestApp, cookie: &str) -> Value {
    let listed = app.get("/api/admin/links").cookie(cookie).send().await;
    assert_eq!(listed.status, 200, "{listed}");
    listed.json()["data"].clone()
}

async fn withdraw(app: &TestApp, cookie: &str, id: &str) -> Answer {
    let call = app.delete(&format!("/api/admin/links/{id}"));
    call.cookie(cookie).send().await
}

/// Whether the two links are refused, as links that never were are.
async fn assert_refused(app: &TestApp, (invitation, reset): &(Made, Made)) {
    let body =
        json!({"email": "eve@example.com", "password": PASSWORD, "invitation": invitation.token});
    let call = app.post("/api/accounts").json(&body.to_string());
    let refused = call.send().await.summary();
    assert_eq!(refused, r#"403 "signup_closed" "invitation""#);
    let body = json!({"token": reset.token, "password": "yet another set of different words"});
    let call = app
        .post("/api/account/password-reset")
        .json(&body.to_string());
    let refused = call.send().await.summary();
    assert_eq!(refused, r#"400 "invalid_parameter" "token""#);
}

#[tokio::test]
async fn links_are_listed_without_what_opens_them() {
    let (app, cookie) = app().await;
    let (invitation, reset) = make_both(&app, &cookie).await;
    let listed = app.get("/api/admin/links").cookie(&cookie).send().await;
    for token in [&invitation.token, &reset.token] {
        assert!(!listed.body.contains(token.as_str()), "{listed}");
    }
    let listed = listed.json();
    let find = |id: &str| {
        let mut links = listed["data"].as_array().expect("an array").iter();
        links
            .find(|link| link["id"] == id)
            .expect("it is listed")
            .clone()
    };
    let mut expected = json!({
        "id": invitation.id,
        "kind": "invitation",
        "account": null,
        "created_by": "admin@example.com",
        "created_at": "2026-06-10T08:00:00.001Z",
        "expires_at": "2026-06-17T08:00:00.001Z",
    });
    assert_eq!(find(&invitation.id), expected);
    expected["id"] = json!(reset.id);
    expected["kind"] = json!("password_reset");
    expected["account"] = json!("ada@example.com");
    expected["expires_at"] = json!("2026-06-11T08:00:00.001Z");
    assert_eq!(find(&reset.id), expected);
    assert_eq!(listed["next"], Value::Null);
    app.clock.advance_millis(7 * 24 * 3_600_000);
    let cookie = app.sign_in("admin@example.com").await;
    assert_eq!(list(&app, &cookie).await, json!([]), "they are over");
}

#[tokio::test]
async fn pages_of_links_follow_each_other() {
    let (app, cookie) = app().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        app.clock.advance_millis(1);
        made.insert(0, make(&app, &cookie, "/api/admin/invitations").await.id);
    }
    let page = async |query: &str| {
        let path = format!("/api/admin/links?{query}");
        app.get(&path).cookie(&cookie).send().await
    };
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for size in [2, 2, 1] {
        let answer = page(&format!("limit=2{cursor}")).await.json();
        let links = answer["data"].as_array().expect("an array");
        assert_eq!(links.len(), size);
        seen.extend(links.iter().map(|link| link["id"].clone()));
        cursor = match answer["next"].as_str() {
            Some(next) => format!("&cursor={next}"),
            None => String::new(),
        };
    }
    assert_eq!(seen, made);
    assert_eq!(cursor, "", "there are no more");
    assert_eq!(page("limit=5").await.json()["next"], Value::Null);
    for (query, param) in [
        ("cursor=x", "cursor"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
    ] {
        let refused = format!(r#"400 "invalid_parameter" "{param}""#);
        assert_eq!(page(query).await.summary(), refused, "{query}");
    }
    let refused = r#"400 "unknown_parameter" "before""#;
    assert_eq!(page("before=x").await.summary(), refused);
}

#[tokio::test]
async fn a_withdrawn_link_opens_nothing() {
    let (app, cookie) = app().await;
    let links = make_both(&app, &cookie).await;
    let before = app.audited().await.len();
    for (link, action) in [
        (&links.0, "invitation.withdraw"),
        (&links.1, "password_reset.withdraw"),
    ] {
        let done = withdraw(&app, &cookie, &link.id).await;
        assert_eq!(done.status, 204, "{done}");
        let entries = app.get(&format!("/api/admin/audit?subject={}", link.id));
        let entries = entries.cookie(&cookie).send().await.json();
        assert_eq!(entries[0]["action"], action);
        assert_eq!(entries[0]["actor"], "admin@example.com");
        assert_eq!(entries.as_array().map(Vec::len), Some(2), "its making, too");
        let again = withdraw(&app, &cookie, &link.id).await;
        assert_eq!(again.summary(), r#"404 "not_found" null"#);
    }
    assert_refused(&app, &links).await;
    assert_eq!(list(&app, &cookie).await, json!([]));
    assert_eq!(app.audited().await.len(), before + 2);
    for odd in [
        "x",
        "0197593d-1c00-7000-8000-000000000000",
        &id_of(&app, "ada@example.com").await,
    ] {
        let answer = withdraw(&app, &cookie, odd).await;
        assert_eq!(answer.summary(), r#"404 "not_found" null"#, "{odd}");
    }
}

#[tokio::test]
async fn links_end_with_the_password_of_who_made_them() {
    for way in ["operator", "change", "link"] {
        let (app, cookie) = app().await;
        let links = make_both(&app, &cookie).await;
        let admin = app.control.get_account("admin@example.com").await;
        let admin = admin.expect("it is there");
        match way {
            "operator" => {
                let set = app.control.set_password(&admin, OTHER_PASSWORD).await;
                set.expect("the operator may");
            }
            "change" => {
                let cookie = app.sign_in("admin@example.com").await;
                let body = json!({"current_password": PASSWORD, "password": OTHER_PASSWORD});
                let call = app.post("/api/account/password").cookie(&cookie);
                let changed = call.json(&body.to_string()).send().await;
                assert_eq!(changed.status, 204, "{changed}");
            }
            _ => {
                let link = app.control.create_password_reset(Actor::Operator, admin.id);
                let token = link.await.expect("made").token;
                let body = json!({"token": token.expose(), "password": OTHER_PASSWORD});
                let call = app.post("/api/account/password-reset");
                let changed = call.json(&body.to_string()).send().await;
                assert_eq!(changed.status, 204, "{changed}");
            }
        }
        assert_refused(&app, &links).await;
    }
}

#[tokio::test]
async fn links_end_with_the_session_that_made_them() {
    for way in ["one", "others"] {
        let (app, stolen) = app().await;
        let links = make_both(&app, &stolen).await;
        let own = app.sign_in("admin@example.com").await;
        let path = if way == "one" {
            let sessions = app.get("/api/account/sessions").cookie(&own).send().await;
            let sessions = sessions.json();
            let mut sessions = sessions.as_array().expect("an array").iter();
            let other = sessions.find(|session| session["is_current"] == false);
            let id = other.expect("the stolen one")["id"].as_str().expect("text");
            format!("/api/account/sessions/{id}")
        } else {
            "/api/account/sessions".to_owned()
        };
        let ended = app.delete(&path).cookie(&own).send().await;
        assert_eq!(ended.status, 204, "{ended}");
        assert_refused(&app, &links).await;
    }
}

#[tokio::test]
async fn who_signs_out_withdraws_no_link() {
    let (app, cookie) = app().await;
    let (invitation, _) = make_both(&app, &cookie).await;
    let out = app.delete("/api/session").cookie(&cookie).send().await;
    assert_eq!(out.status, 204, "{out}");
    let body =
        json!({"email": "bob@example.com", "password": PASSWORD, "invitation": invitation.token});
    let made = app.post("/api/accounts").json(&body.to_string());
    assert_eq!(made.send().await.status, 201);
}
