use keygate_control::{Actor, Signup};
use keygate_core::Token;
use serde_json::json;

use crate::support::{Answer, Options, PASSWORD, TestApp};

fn app(signup: Signup) -> TestApp {
    TestApp::with(Options {
        signup,
        ..Options::default()
    })
}

async fn sign_up(app: &TestApp, email: &str, invitation: Option<&str>) -> Answer {
    let mut body = json!({"email": email, "password": PASSWORD});
    if let Some(token) = invitation {
        body["invitation"] = json!(token);
    }
    app.post("/api/accounts")
        .json(&body.to_string())
        .send()
        .await
}

async fn invite(app: &TestApp) -> Token {
    let invitation = app.control.create_invitation(Actor::Operator, None).await;
    invitation.expect("invitations are allowed").token
}

#[tokio::test]
async fn the_set_up_link_makes_the_first_account_and_no_other() {
    let app = app(Signup::Closed);
    let link = app.control.create_setup_link().await.expect("answers");
    let token = link.expect("there is no account yet");
    insta::assert_snapshot!(sign_up(&app, "Ada@Example.com", Some(token.expose())).await);
    let again = sign_up(&app, "eve@example.com", Some(token.expose())).await;
    insta::assert_snapshot!(again);
    let link = app.control.create_setup_link().await.expect("answers");
    assert!(link.is_none());
    app.sign_in("ada@example.com").await;
}

#[tokio::test]
async fn set_up_links_of_several_nodes_work_until_one_is_used() {
    let app = app(Signup::Closed);
    let link = async || app.control.create_setup_link().await.expect("answers");
    let first = link().await.expect("there is no account yet");
    let second = link().await.expect("there is no account yet");
    let made = sign_up(&app, "ada@example.com", Some(first.expose())).await;
    assert_eq!(made.json()["role"], "admin", "{made}");
    let late = sign_up(&app, "eve@example.com", Some(second.expose())).await;
    assert_eq!(late.summary(), r#"403 "signup_closed" "invitation""#);
}

#[tokio::test]
async fn open_sign_up_leaves_the_first_account_to_the_operator() {
    let app = app(Signup::Open);
    let refused = sign_up(&app, "eve@example.com", None).await;
    assert_eq!(refused.summary(), r#"403 "signup_closed" null"#);
    assert!(refused.body.contains("not set up yet"), "{refused}");
    assert_eq!(app.audited().await, [] as [&str; 0]);
    let page = app.get("/signup").send().await;
    assert!(page.body.contains("There is no account yet."), "{page}");
    let link = app.control.create_setup_link().await.expect("answers");
    let link = link.expect("there is no account yet");
    let made = sign_up(&app, "ada@example.com", Some(link.expose())).await;
    assert_eq!(made.json()["role"], "admin", "{made}");
    let made = sign_up(&app, "bob@example.com", None).await;
    assert_eq!(made.json()["role"], "member", "{made}");
    let page = app.get("/signup").send().await;
    assert!(!page.body.contains("There is no account yet."), "{page}");
}

#[tokio::test]
async fn closed_means_closed() {
    let app = app(Signup::Closed);
    insta::assert_snapshot!(sign_up(&app, "eve@example.com", None).await);
    let guess = sign_up(&app, "eve@example.com", Some("guess")).await;
    assert_eq!(guess.summary(), r#"403 "signup_closed" "invitation""#);
    let refused = app.control.create_invitation(Actor::Operator, None).await;
    refused.expect_err("invitations need the setting");
}

#[tokio::test]
async fn an_invitation_lets_one_in_within_a_week() {
    let app = app(Signup::Invite);
    app.account("ada@example.com").await;
    let none = sign_up(&app, "eve@example.com", None).await;
    assert_eq!(none.summary(), r#"403 "signup_closed" null"#);
    let token = invite(&app).await;
    assert_eq!(
        sign_up(&app, "bob@example.com", Some(token.expose()))
            .await
            .status,
        201
    );
    assert_eq!(
        sign_up(&app, "eve@example.com", Some(token.expose()))
            .await
            .status,
        403
    );
    let token = invite(&app).await;
    app.clock.advance_millis(7 * 24 * 3_600_000);
    assert_eq!(
        sign_up(&app, "eve@example.com", Some(token.expose()))
            .await
            .status,
        403
    );
}

#[tokio::test]
async fn where_sign_up_is_open_one_mailbox_has_one_account() {
    let app = app(Signup::Open);
    app.account("ada@example.com").await;
    assert_eq!(sign_up(&app, "bob@example.com", None).await.status, 201);
    insta::assert_snapshot!(sign_up(&app, " BOB@example.com", None).await);
}

#[tokio::test]
async fn bad_fields_are_refused_by_name() {
    let app = app(Signup::Open);
    app.account("admin@example.com").await;
    let before = app.audited().await;
    let mut answers = String::new();
    for body in [
        json!({}),
        json!({"email": "ada@example.com"}),
        json!({"email": "ada", "password": PASSWORD}),
        json!({"email": "ada@example.com", "password": "short"}),
        json!({"email": "ada@example.com", "password": "password1234"}),
        json!({"email": "ada@example.com", "password": "x".repeat(257)}),
        json!({"email": "ada@example.com", "password": PASSWORD, "role": "admin"}),
    ] {
        let answer = app
            .post("/api/accounts")
            .json(&body.to_string())
            .send()
            .await;
        let shown: String = body.to_string().chars().take(70).collect();
        answers.push_str(&format!(
            "{shown}\n  {}\n  {}\n",
            answer.summary(),
            answer.body
        ));
    }
    insta::assert_snapshot!(answers);
    assert_eq!(app.audited().await, before);
}
