use keygate_control::Actor;
use serde_json::json;

use crate::support::{Answer, PASSWORD, TestApp};

const NEW: &str = "a wholly different set of words";

async fn link(app: &TestApp) -> String {
    let ada = app.control.get_account("ada@example.com").await;
    let ada = ada.expect("she is there").id;
    let reset = app.control.create_password_reset(Actor::Operator, ada);
    reset.await.expect("made").token.expose().to_owned()
}

async fn reset(app: &TestApp, token: &str, password: &str) -> Answer {
    let body = json!({"token": token, "password": password}).to_string();
    let call = app.post("/api/account/password-reset").json(&body);
    call.send().await
}

#[tokio::test]
async fn the_link_gives_a_new_password_once_and_ends_all_sessions() {
    let (app, cookie) = TestApp::signed_in().await;
    let token = link(&app).await;
    let weak = reset(&app, &token, "password1234").await;
    assert_eq!(weak.summary(), r#"400 "invalid_parameter" "password""#);
    assert_eq!(reset(&app, &token, NEW).await.status, 204);
    let ended = app.get("/api/session").cookie(&cookie).send().await;
    assert_eq!(ended.summary(), r#"401 "session_expired" null"#);
    insta::assert_snapshot!(reset(&app, &token, NEW).await);
    for (password, status) in [(PASSWORD, 401), (NEW, 204)] {
        let body = json!({"email": "ada@example.com", "password": password}).to_string();
        let answer = app.post("/api/session").json(&body).send().await;
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn a_link_that_is_a_day_old_or_replaced_does_nothing() {
    let (app, _) = TestApp::signed_in().await;
    let replaced = link(&app).await;
    let token = link(&app).await;
    let refused = r#"400 "invalid_parameter" "token""#;
    assert_eq!(reset(&app, &replaced, NEW).await.summary(), refused);
    assert_eq!(reset(&app, "guess", NEW).await.summary(), refused);
    app.clock.advance_millis(24 * 3_600_000);
    assert_eq!(reset(&app, &token, NEW).await.summary(), refused);
    app.sign_in("ada@example.com").await;
}
