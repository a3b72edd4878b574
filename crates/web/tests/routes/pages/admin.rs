use keygate_control::Signup;
use keygate_core::Role;

use crate::support::{Answer, Options, PASSWORD, TestApp, encoded};

async fn app() -> (TestApp, String) {
    let app = TestApp::with(Options {
        signup: Signup::Invite,
        ..Options::default()
    });
    let cookie = app.account_as("admin@example.com", Role::Admin).await;
    app.clock.advance_millis(1);
    (app, cookie)
}

async fn change(app: &TestApp, cookie: &str, fields: &[(&str, &str)]) -> Answer {
    let call = app.post("/admin/accounts").cookie(cookie);
    call.form(&encoded(fields)).send().await
}

#[tokio::test]
async fn members_see_none_of_it() {
    let (app, _) = app().await;
    let ada = app.account("ada@example.com").await;
    for path in ["/admin/accounts", "/admin/links", "/admin/audit"] {
        let page = app.get(path).cookie(&ada).send().await;
        assert_eq!(page.status, 403);
        assert!(!page.body.contains("admin@example.com"), "{page}");
    }
    assert_eq!(change(&app, &ada, &[("do", "invite")]).await.status, 403);
    let keys = app.get("/keys").cookie(&ada).send().await;
    assert!(!keys.body.contains("/admin/"), "{keys}");
}

#[tokio::test]
async fn accounts_are_suspended_and_resumed() {
    let (app, cookie) = app().await;
    let ada = app.account("ada@example.com").await;
    let account = app.control.get_account("ada@example.com").await;
    let id = account.expect("she is there").id.to_string();
    let act = async |what: &str| change(&app, &cookie, &[("do", what), ("account", &id)]).await;
    let done = act("suspend").await;
    assert_eq!(done.headers["location"], "/admin/accounts?done=suspended");
    assert_eq!(app.get("/keys").cookie(&ada).send().await.status, 303);
    let list = app
        .get("/admin/accounts?search=ada")
        .cookie(&cookie)
        .send()
        .await;
    assert!(list.body.contains(">suspended</span>"), "{list}");
    act("resume").await;
    app.sign_in("ada@example.com").await;
}

#[tokio::test]
async fn links_are_shown_once_and_work() {
    let (app, cookie) = app().await;
    app.account("ada@example.com").await;
    let account = app.control.get_account("ada@example.com").await;
    let id = account.expect("she is there").id.to_string();
    for (what, path) in [
        ("invite", "/signup?token="),
        ("reset", "/reset-password?token="),
    ] {
        let list = app.get("/admin/accounts").cookie(&cookie).send().await;
        let fields = [("do", what), ("account", &*id), ("id", &*list.value("id"))];
        let made = change(&app, &cookie, &fields).await;
        assert_eq!(made.status, 201, "{made}");
        let (_, rest) = made.body.split_once(path).expect("a link");
        let token = &rest[..43];
        let page = app.get(&format!("{path}{token}")).send().await;
        assert_eq!(page.value("token"), token, "{page}");
    }
}

#[tokio::test]
async fn links_are_listed_and_withdrawn() {
    let (app, cookie) = app().await;
    app.account("ada@example.com").await;
    let account = app.control.get_account("ada@example.com").await;
    let id = account.expect("she is there").id.to_string();
    change(&app, &cookie, &[("do", "reset"), ("account", &id)]).await;
    let page = async |path: &str| app.get(path).cookie(&cookie).send().await;
    let accounts = page("/admin/accounts").await;
    assert!(accounts.body.contains(">reset link</span>"), "{accounts}");
    let links = page("/admin/links").await;
    assert!(
        links.body.contains("Password reset for ada@example.com"),
        "{links}"
    );
    let link = links.value("link");
    let withdraw = async || {
        let call = app.post("/admin/links").cookie(&cookie);
        call.form(&encoded(&[("link", &link)])).send().await
    };
    let done = withdraw().await;
    assert_eq!(done.headers["location"], "/admin/links?done=withdrawn");
    let links = page("/admin/links?done=withdrawn").await;
    assert!(links.body.contains("There are no active links."), "{links}");
    let accounts = page("/admin/accounts").await;
    assert!(!accounts.body.contains(">reset link</span>"), "{accounts}");
    assert_eq!(withdraw().await.status, 404);
}

#[tokio::test]
async fn an_invitation_may_be_for_one_address_alone() {
    let (app, cookie) = app().await;
    let invite = async |email: &str| {
        let accounts = app.get("/admin/accounts").cookie(&cookie).send().await;
        let id = accounts.value("id");
        change(
            &app,
            &cookie,
            &[("do", "invite"), ("id", &*id), ("email", email)],
        )
        .await
    };
    let wrong = invite("nobody").await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.value("email")),
        (400, "nobody".to_owned())
    );
    assert!(!wrong.error("email").is_empty());
    let second = invite("ADMIN@example.com").await;
    assert_eq!(second.status, 409, "{second}");
    let made = invite("Grace@Example.com").await;
    assert_eq!(made.status, 201, "{made}");
    assert!(
        made.body.contains("good only for grace@example.com"),
        "{made}"
    );
    let links = app.get("/admin/links").cookie(&cookie).send().await;
    assert!(
        links.body.contains("Invitation for grace@example.com"),
        "{links}"
    );
    let (_, rest) = made.body.split_once("/signup?token=").expect("a link");
    let token = &rest[..43];

    let opened = app.get(&format!("/signup?token={token}")).send().await;
    assert_eq!(opened.value("email"), "grace@example.com");
    assert!(
        opened.body.contains("admin@example.com has invited you"),
        "{opened}"
    );
    let submit = async |email: &str| {
        let fields = [("token", token), ("email", email), ("password", PASSWORD)];
        app.post("/signup").form(&encoded(&fields)).send().await
    };
    let refused = submit("eve@example.com").await;
    assert_eq!(refused.status, 403);
    assert!(
        refused
            .error("email")
            .starts_with("The invitation is for grace@example.com.")
    );
    assert_eq!(submit("GRACE@example.com").await.status, 303);
    let used = app.get(&format!("/signup?token={token}")).send().await;
    assert_eq!(used.status, 403);
    assert!(used.body.contains("it was used already"), "{used}");
}

#[tokio::test]
async fn a_form_that_is_sent_twice_makes_one_invitation() {
    let (app, cookie) = app().await;
    let id = app
        .get("/admin/accounts")
        .cookie(&cookie)
        .send()
        .await
        .value("id");
    let fields = [("do", "invite"), ("id", &*id)];
    let made = change(&app, &cookie, &fields).await;
    assert_eq!(made.status, 201, "{made}");
    let again = change(&app, &cookie, &fields).await;
    assert_eq!(again.headers["location"], "/admin/links?done=before");
    let led = format!("{cookie}; {}", again.cookie());
    let links = app
        .get("/admin/links?done=before")
        .cookie(&led)
        .send()
        .await;
    assert!(links.body.contains("This form was already sent"), "{links}");
    assert_eq!(links.body.matches(">Invitation<").count(), 1, "{links}");
    assert_eq!(change(&app, &cookie, &[("do", "invite")]).await.status, 400);
}

#[tokio::test]
async fn a_form_that_is_sent_again_for_another_address_says_what_it_made() {
    let (app, cookie) = app().await;
    let accounts = app.get("/admin/accounts").cookie(&cookie).send().await;
    let send = async |id: &str, email: &str| {
        let fields = [("do", "invite"), ("id", id), ("email", email)];
        change(&app, &cookie, &fields).await
    };
    let id = accounts.value("id");
    assert_eq!(send(&id, "ada@example.com").await.status, 201);
    assert_eq!(send(&id, "ADA@example.com").await.status, 303);
    for other in ["bob@example.com", ""] {
        let refused = send(&id, other).await;
        assert_eq!(refused.status, 400, "{refused}");
        assert!(
            refused
                .body
                .contains("created an invitation for ada@example.com"),
            "{refused}"
        );
        assert_eq!(refused.value("email"), other);
        assert_eq!(send(&refused.value("id"), other).await.status, 201);
    }
    // Whoever has an account in another way is no longer invited.
    app.account("ada@example.com").await;
    let links = app.get("/admin/links").cookie(&cookie).send().await;
    assert!(!links.body.contains("Invitation for ada"), "{links}");
    assert!(links.body.contains("Invitation for bob"), "{links}");
}

#[tokio::test]
async fn the_record_is_filtered() {
    let (app, cookie) = app().await;
    let ada = app.account("ada@example.com").await;
    app.key(&ada, r#"{"name":"<b>bold</b>"}"#).await;
    let page = async |query: &str| {
        let call = app.get(&format!("/admin/audit{query}"));
        call.cookie(&cookie).send().await
    };
    let all = page("").await;
    assert!(all.body.contains("key.issue</code>") && all.body.contains("account.create</code>"));
    assert!(!all.body.contains("<b>bold"), "{all}");
    let keys = page("?action=key.issue&account=ADA%40example.com").await;
    assert!(keys.body.contains("key.issue</code>"), "{keys}");
    assert!(!keys.body.contains("account.create</code>"), "{keys}");
    assert!(
        page("?subject=nothing")
            .await
            .body
            .contains("No entries match.")
    );
    for odd in [
        "?account=x",
        "?action=key.stolen",
        "?subject=%00",
        "?subject=x",
    ] {
        assert_eq!(page(odd).await.status, 400, "{odd}");
    }
}
