use serde_json::json;

use crate::support::{Answer, PASSWORD, TestApp};

const NEW: &str = "a wholly different set of words";

async fn change(app: &TestApp, cookie: &str, current: &str, new: &str) -> Answer {
    let body = json!({"current_password": current, "password": new}).to_string();
    let call = app.post("/api/account/password").cookie(cookie);
    call.json(&body).send().await
}

#[tokio::test]
async fn a_new_password_ends_all_sessions_but_the_answers() {
    let (app, cookie) = TestApp::signed_in().await;
    let elsewhere = app.sign_in("ada@example.com").await;
    let answer = change(&app, &cookie, PASSWORD, NEW).await;
    assert_eq!(answer.status, 204, "{answer}");
    for ended in [&cookie, &elsewhere] {
        let answer = app.get("/api/session").cookie(ended).send().await;
        assert_eq!(answer.summary(), r#"401 "session_expired" null"#);
    }
    let fresh = answer.cookie();
    assert_eq!(
        app.get("/api/session").cookie(&fresh).send().await.status,
        200
    );
    let body = json!({"email": "ada@example.com", "password": PASSWORD}).to_string();
    assert_eq!(
        app.post("/api/session").json(&body).send().await.status,
        401
    );
}

#[tokio::test]
async fn without_the_present_password_nothing_changes() {
    let (app, cookie) = TestApp::signed_in().await;
    insta::assert_snapshot!(change(&app, &cookie, "wrong horse battery staple", NEW).await);
    let weak = change(&app, &cookie, PASSWORD, "password1234").await;
    assert_eq!(weak.summary(), r#"400 "invalid_parameter" "password""#);
    assert_eq!(
        app.get("/api/session").cookie(&cookie).send().await.status,
        200
    );
    app.sign_in("ada@example.com").await;
}

#[tokio::test]
async fn guesses_of_a_session_are_limited_and_no_strangers_count_among_them() {
    let (app, cookie) = TestApp::signed_in().await;
    for _ in 0..11 {
        let body = r#"{"email": "ada@example.com", "password": "wrong horse battery staple"}"#;
        app.post("/api/session").json(body).send().await;
    }
    for _ in 0..10 {
        let answer = change(&app, &cookie, "wrong horse battery staple", NEW).await;
        assert_eq!(answer.status, 400, "{answer}");
    }
    let answer = change(&app, &cookie, PASSWORD, NEW).await;
    assert_eq!(answer.summary(), r#"429 "rate_limit_exceeded" null"#);
}
