use crate::support::TestApp;

#[tokio::test]
async fn a_new_key_was_not_used() {
    let (app, cookie) = TestApp::signed_in().await;
    let key = app.key(&cookie, r#"{"name":"one"}"#).await;
    let path = format!("/api/keys/{}/usage", key["id"].as_str().expect("an id"));
    let answer = app.get(&path).cookie(&cookie).send().await;
    insta::assert_snapshot!(answer);
}
