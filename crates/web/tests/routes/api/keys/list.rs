use serde_json::Value;

use crate::support::TestApp;

fn names(keys: &Value) -> Vec<&str> {
    let keys = keys.as_array().expect("an array");
    keys.iter()
        .map(|key| key["name"].as_str().expect("a name"))
        .collect()
}

#[tokio::test]
async fn an_account_begins_without_keys() {
    let (app, cookie) = TestApp::signed_in().await;
    insta::assert_snapshot!(app.get("/api/keys").cookie(&cookie).send().await);
}

#[tokio::test]
async fn active_keys_are_listed_newest_first() {
    let (app, cookie) = TestApp::signed_in().await;
    for name in ["first", "second", "third"] {
        app.key(&cookie, &format!(r#"{{"name":"{name}"}}"#)).await;
        app.clock.advance_millis(1);
    }
    insta::assert_snapshot!(app.get("/api/keys").cookie(&cookie).send().await);
}

#[tokio::test]
async fn the_status_filter_shows_the_others() {
    let (app, cookie) = TestApp::signed_in().await;
    app.key(
        &cookie,
        r#"{"name":"brief","expires_at":"2026-06-10T08:00:01Z"}"#,
    )
    .await;
    app.clock.advance_millis(1_000);
    let off = app.key(&cookie, r#"{"name":"off"}"#).await;
    app.clock.advance_millis(1);
    app.key(&cookie, r#"{"name":"on"}"#).await;
    let path = format!("/api/keys/{}", off["id"].as_str().expect("an id"));
    app.patch(&path)
        .cookie(&cookie)
        .json(r#"{"is_active":false}"#)
        .send()
        .await;
    for (query, expected) in [
        ("", &["on"] as &[_]),
        ("?", &["on"]),
        ("?status=active", &["on"]),
        ("?status=inactive", &["off"]),
        ("?status=expired", &["brief"]),
        ("?status=all", &["on", "off", "brief"]),
    ] {
        let answer = app
            .get(&format!("/api/keys{query}"))
            .cookie(&cookie)
            .send()
            .await;
        assert_eq!(names(&answer.json()), expected, "{query}");
    }
}

#[tokio::test]
async fn a_page_has_a_hundred_keys_and_before_leads_on() {
    let app = TestApp::new();
    let cookie = app
        .account_as("ada@example.com", keygate_core::Role::Admin)
        .await;
    for index in 0..105 {
        let key = app
            .key(&cookie, &format!(r#"{{"name":"key {index}"}}"#))
            .await;
        let path = format!("/api/keys/{}", key["id"].as_str().expect("an id"));
        let off = app
            .patch(&path)
            .cookie(&cookie)
            .json(r#"{"is_active":false}"#);
        assert_eq!(off.send().await.status, 200);
        app.clock.advance_millis(1);
    }
    let first = app
        .get("/api/keys?status=inactive")
        .cookie(&cookie)
        .send()
        .await
        .json();
    assert_eq!(names(&first).len(), 100);
    assert_eq!(names(&first)[0], "key 104");
    let last = first[99]["id"].as_str().expect("an id");
    let path = format!("/api/keys?status=inactive&before={last}");
    let second = app.get(&path).cookie(&cookie).send().await.json();
    assert_eq!(
        names(&second),
        ["key 4", "key 3", "key 2", "key 1", "key 0"]
    );
}

#[tokio::test]
async fn a_bad_query_is_refused_by_name() {
    let (app, cookie) = TestApp::signed_in().await;
    let mut answers = String::new();
    for query in [
        "status=",
        "status=Active",
        "status=all&status=all",
        "before=",
        "before=1",
        "state=all",
        "limit=5",
    ] {
        let answer = app
            .get(&format!("/api/keys?{query}"))
            .cookie(&cookie)
            .send()
            .await;
        answers.push_str(&format!(
            "{query}\n  {}\n  {}\n",
            answer.summary(),
            answer.body
        ));
    }
    insta::assert_snapshot!(answers);
}

#[tokio::test]
async fn other_accounts_keys_are_not_listed() {
    let (app, ada) = TestApp::signed_in().await;
    let bob = app.account("bob@example.com").await;
    app.key(&ada, r#"{"name":"hers"}"#).await;
    app.key(&bob, r#"{"name":"his"}"#).await;
    assert_eq!(names(&app.all_keys(&ada).await), ["hers"]);
    assert_eq!(names(&app.all_keys(&bob).await), ["his"]);
}
