use crate::support::TestApp;

#[tokio::test]
async fn a_deleted_key_is_gone_for_good() {
    let (app, cookie) = TestApp::signed_in().await;
    let key = app.key(&cookie, r#"{"name":"a"}"#).await;
    let path = format!("/api/keys/{}", key["id"].as_str().expect("an id"));
    insta::assert_snapshot!(app.delete(&path).cookie(&cookie).send().await);
    assert_eq!(app.all_keys(&cookie).await, serde_json::json!([]));
    for call in [
        app.get(&path),
        app.patch(&path).json(r#"{"is_active":true}"#),
        app.delete(&path),
    ] {
        let answer = call.cookie(&cookie).send().await;
        assert_eq!(answer.summary(), r#"404 "key_not_found" null"#);
    }
    assert_eq!(app.audited().await[0], "key.revoke");
}
