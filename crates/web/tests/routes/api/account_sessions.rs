use serde_json::Value;

use crate::support::TestApp;

async fn sessions(app: &TestApp, cookie: &str) -> Vec<Value> {
    let listed = app.get("/api/account/sessions").cookie(cookie).send().await;
    assert_eq!(listed.status, 200, "{listed}");
    listed.json().as_array().expect("an array").clone()
}

async fn is_live(app: &TestApp, cookie: &str) -> bool {
    let session = app.get("/api/session").cookie(cookie).send().await;
    session.status == 200
}

#[tokio::test]
async fn the_accounts_sessions_are_listed_with_browser_and_address() {
    let app = TestApp::new();
    app.account("eve@example.com").await;
    let cookie = app.account("ada@example.com").await;
    insta::assert_snapshot!(
        app.get("/api/account/sessions")
            .cookie(&cookie)
            .send()
            .await
    );
    app.sign_in("ada@example.com").await;
    assert_eq!(sessions(&app, &cookie).await.len(), 2);
}

#[tokio::test]
async fn one_session_is_ended_and_no_other() {
    let (app, cookie) = TestApp::signed_in().await;
    let (one, other) = (
        app.sign_in("ada@example.com").await,
        app.sign_in("ada@example.com").await,
    );
    let of_one = sessions(&app, &one).await;
    let current = of_one.iter().find(|session| session["is_current"] == true);
    let id = current.expect("it is there")["id"].as_str().expect("text");
    let path = format!("/api/account/sessions/{id}");
    let eve = app.account("eve@example.com").await;
    let foreign = app.delete(&path).cookie(&eve).send().await;
    assert_eq!(foreign.summary(), r#"404 "not_found" null"#);
    assert!(is_live(&app, &one).await);
    assert_eq!(app.delete(&path).cookie(&cookie).send().await.status, 204);
    assert!(!is_live(&app, &one).await);
    assert!(is_live(&app, &other).await);
    let again = app.delete(&path).cookie(&cookie).send().await;
    assert_eq!(again.body, foreign.body);
}

#[tokio::test]
async fn all_sessions_but_ones_own_are_ended() {
    let (app, cookie) = TestApp::signed_in().await;
    let other = app.sign_in("ada@example.com").await;
    let eve = app.account("eve@example.com").await;
    let ended = app.delete("/api/account/sessions").cookie(&cookie);
    assert_eq!(ended.send().await.status, 204);
    assert!(is_live(&app, &cookie).await);
    assert!(!is_live(&app, &other).await);
    assert!(is_live(&app, &eve).await);
}
