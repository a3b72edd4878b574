use crate::support::TestApp;

#[tokio::test]
async fn one_key_looks_as_in_the_list() {
    let (app, cookie) = TestApp::signed_in().await;
    let key = app.key(&cookie, r#"{"name":"one"}"#).await;
    let path = format!("/api/keys/{}", key["id"].as_str().expect("an id"));
    let answer = app.get(&path).cookie(&cookie).send().await;
    assert_eq!(answer.json(), app.all_keys(&cookie).await[0]);
    insta::assert_snapshot!(answer);
}

/// An unknown id, what is no id at all, a deleted key's and another account's: the same bytes,
/// for every method.
#[tokio::test]
async fn what_cannot_be_seen_is_not_there() {
    let (app, ada) = TestApp::signed_in().await;
    let bob = app.account("bob@example.com").await;
    let foreign = app.key(&bob, r#"{"name":"his"}"#).await;
    let foreign = foreign["id"].as_str().expect("an id").to_owned();
    let deleted = app.key(&ada, r#"{"name":"gone"}"#).await;
    let deleted = deleted["id"].as_str().expect("an id").to_owned();
    app.delete(&format!("/api/keys/{deleted}"))
        .cookie(&ada)
        .send()
        .await;
    let own = app.key(&ada, r#"{"name":"hers"}"#).await;
    let own = own["id"].as_str().expect("an id").to_owned();
    let before = app.all_keys(&bob).await;
    let ids = [
        "0197593d-1c00-7000-8000-000000000000",
        &foreign,
        &deleted,
        &format!("%7B{own}%7D"),
        &own.replace('-', ""),
        &own.replace('0', "%30"),
        "..",
        "%2e%2e%2f",
        "%00",
        "%ff",
        "1",
        "x",
    ];
    let mut bodies = Vec::new();
    for id in ids {
        let path = format!("/api/keys/{id}");
        for call in [
            app.get(&path),
            app.get(&format!("{path}/usage")),
            app.patch(&path).json(r#"{"is_active":false}"#),
            app.delete(&path),
        ] {
            let answer = call.cookie(&ada).send().await;
            assert_eq!(answer.status, 404, "{id} {answer}");
            bodies.push(answer.to_string());
        }
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:#?}");
    insta::assert_snapshot!(bodies[0]);
    assert_eq!(app.all_keys(&bob).await, before);
}

#[tokio::test]
async fn an_id_in_capitals_is_the_same_id() {
    let (app, cookie) = TestApp::signed_in().await;
    let key = app.key(&cookie, r#"{"name":"hers"}"#).await;
    let id = key["id"].as_str().expect("an id").to_uppercase();
    let shown = app
        .get(&format!("/api/keys/{id}"))
        .cookie(&cookie)
        .send()
        .await;
    assert_eq!(shown.json()["id"], key["id"]);
    let list = app.get(&format!("/api/keys?before={id}")).cookie(&cookie);
    assert_eq!(list.send().await.status, 200);
}
