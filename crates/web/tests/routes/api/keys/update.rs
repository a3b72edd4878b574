use serde_json::{Value, json};

use crate::support::{Answer, TestApp};

async fn patch(app: &TestApp, cookie: &str, key: &Value, body: &str) -> Answer {
    let path = format!("/api/keys/{}", key["id"].as_str().expect("an id"));
    app.patch(&path).cookie(cookie).json(body).send().await
}

#[tokio::test]
async fn only_the_fields_supplied_change() {
    let (app, cookie) = TestApp::signed_in().await;
    let other = app.key(&cookie, r#"{"name":"other"}"#).await;
    app.clock.advance_millis(1);
    let key = app.key(&cookie, r#"{"name":"before"}"#).await;
    let mut expected = app.all_keys(&cookie).await;
    for (body, field, value) in [
        (r#"{"name":" after "}"#, "name", json!("after")),
        (
            r#"{"scopes":["admin","write"]}"#,
            "scopes",
            json!(["write", "admin"]),
        ),
        (r#"{"is_active":false}"#, "is_active", json!(false)),
        (r#"{"is_active":true}"#, "is_active", json!(true)),
    ] {
        let answer = patch(&app, &cookie, &key, body).await;
        assert_eq!(answer.status, 200, "{answer}");
        assert_eq!(answer.body, r#"{"success":true}"#);
        expected[0][field] = value;
        assert_eq!(app.all_keys(&cookie).await, expected, "{body}");
    }
    assert_eq!(expected[1]["id"], other["id"]);
    assert_eq!(app.audited().await[..2], ["key.update", "key.update"]);
}

#[tokio::test]
async fn success_is_said_in_the_contracts_words() {
    let (app, cookie) = TestApp::signed_in().await;
    let key = app.key(&cookie, r#"{"name":"a"}"#).await;
    insta::assert_snapshot!(patch(&app, &cookie, &key, r#"{"name":"b"}"#).await);
}

#[tokio::test]
async fn bad_fields_are_refused_by_name_and_change_nothing() {
    let (app, cookie) = TestApp::signed_in().await;
    let key = app.key(&cookie, r#"{"name":"a"}"#).await;
    let before = (app.all_keys(&cookie).await, app.audited().await);
    let mut answers = String::new();
    for body in [
        r"{}",
        r#"{"name":""}"#,
        r#"{"name":null}"#,
        r#"{"name":"a\u0000b"}"#,
        r#"{"name":"a\u202eb"}"#,
        r#"{"name":"a\ud800b"}"#,
        r#"{"scopes":null}"#,
        r#"{"scopes":"chat"}"#,
        r#"{"scopes":[["chat"]]}"#,
        r#"{"scopes":["Chat"]}"#,
        r#"{"scopes":[]}"#,
        r#"{"scopes":["root"]}"#,
        r#"{"is_active":"true"}"#,
        r#"{"is_active":1}"#,
        r#"{"is_active":null}"#,
        r#"{"expires_at":null}"#,
        r#"{"id":"x"}"#,
        r#"{"is_active":true,"is_active":false}"#,
        r#"{"name":"good","is_active":"bad"}"#,
    ] {
        let answer = patch(&app, &cookie, &key, body).await;
        assert_eq!(answer.status, 400, "{body} {answer}");
        answers.push_str(&format!(
            "{body}\n  {}\n  {}\n",
            answer.summary(),
            answer.body
        ));
    }
    insta::assert_snapshot!(answers);
    assert_eq!((app.all_keys(&cookie).await, app.audited().await), before);
}

#[tokio::test]
async fn switching_on_needs_a_free_place() {
    let (app, cookie) = TestApp::signed_in().await;
    let key = app.key(&cookie, r#"{"name":"off"}"#).await;
    patch(&app, &cookie, &key, r#"{"is_active":false}"#).await;
    for index in 0..10 {
        app.key(&cookie, &format!(r#"{{"name":"key {index}"}}"#))
            .await;
    }
    insta::assert_snapshot!(patch(&app, &cookie, &key, r#"{"is_active":true}"#).await);
    let renamed = patch(&app, &cookie, &key, r#"{"name":"still off"}"#).await;
    assert_eq!(renamed.status, 200);
}

#[tokio::test]
async fn an_expired_key_cannot_be_switched_on() {
    let (app, cookie) = TestApp::signed_in().await;
    let body = r#"{"name":"brief","expires_at":"2026-06-10T08:00:01Z"}"#;
    let key = app.key(&cookie, body).await;
    app.clock.advance_millis(999);
    let on = patch(&app, &cookie, &key, r#"{"is_active":true}"#).await;
    assert_eq!(on.status, 200);
    app.clock.advance_millis(1);
    insta::assert_snapshot!(patch(&app, &cookie, &key, r#"{"is_active":true}"#).await);
}
