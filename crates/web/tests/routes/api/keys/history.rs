use crate::support::TestApp;

#[tokio::test]
async fn a_key_has_its_history_newest_first() {
    let (app, cookie) = TestApp::signed_in().await;
    app.key(&cookie, r#"{"name":"another"}"#).await;
    let key = app.key(&cookie, r#"{"name":"a"}"#).await;
    let path = format!("/api/keys/{}", key["id"].as_str().expect("an id"));
    app.clock.advance_millis(1_000);
    app.patch(&path)
        .cookie(&cookie)
        .json(r#"{"name":"b","is_active":false}"#)
        .send()
        .await;
    let list = async |query: &str| {
        let call = app.get(&format!("{path}/history{query}"));
        call.cookie(&cookie).send().await
    };
    let history = list("").await;
    insta::assert_snapshot!(history.to_string().replace(path.as_str(), "PATH"));
    let newest = history.json()[0]["id"].to_string();
    let rest = list(&format!("?before={newest}")).await.json();
    assert_eq!(rest[0], history.json()[1]);
    let bad = list("?before=-1").await;
    assert_eq!(bad.summary(), r#"400 "invalid_parameter" "before""#);
}

#[tokio::test]
async fn another_accounts_key_has_none() {
    let (app, cookie) = TestApp::signed_in().await;
    let key = app.key(&cookie, r#"{"name":"a"}"#).await;
    let path = format!("/api/keys/{}/history", key["id"].as_str().expect("an id"));
    let eve = app.account("eve@example.com").await;
    let answer = app.get(&path).cookie(&eve).send().await;
    assert_eq!(answer.summary(), r#"404 "key_not_found" null"#);
}
