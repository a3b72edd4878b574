use keygate_control::KeyLimits;
use keygate_core::Role;

use crate::support::{Options, START, TestApp};

#[tokio::test]
async fn a_name_is_enough() {
    let (app, cookie) = TestApp::signed_in().await;
    let call = app.post("/api/keys").cookie(&cookie);
    insta::assert_snapshot!(call.json(r#"{"name":"Production"}"#).send().await);
}

#[tokio::test]
async fn everything_can_be_given() {
    let (app, cookie) = TestApp::signed_in().await;
    let body = r#"{"name":" Staging\t","scopes":["write","chat","write"],"expires_at":"2026-12-31T23:59:59.1239+01:00"}"#;
    let call = app.post("/api/keys").cookie(&cookie);
    insta::assert_snapshot!(call.json(body).send().await);
    insta::assert_snapshot!(app.get("/api/keys").cookie(&cookie).send().await);
}

#[tokio::test]
async fn names_at_the_border_are_taken_as_they_are() {
    let (app, cookie) = TestApp::signed_in().await;
    let longest = "\u{1f511}".repeat(255);
    for name in [
        longest.as_str(),
        "<script>alert(1)</script>",
        "=cmd|' /C calc'!A0",
        "%_",
    ] {
        let body = serde_json::json!({"name": name}).to_string();
        assert_eq!(app.key(&cookie, &body).await["name"], name);
    }
}

#[tokio::test]
async fn a_key_may_expire_in_a_millisecond_but_not_now() {
    let (app, cookie) = TestApp::signed_in().await;
    for (offset, status) in [(-1, 400), (0, 400), (1, 201)] {
        let ends = keygate_core::Timestamp::from_millis(START.as_millis() + offset);
        let body = serde_json::json!({"name": "brief", "expires_at": ends}).to_string();
        let answer = app.post("/api/keys").cookie(&cookie).json(&body).send();
        assert_eq!(answer.await.status, status, "{offset} ms from now");
    }
}

/// Every field rule, broken in every way; nothing comes of any of it.
#[tokio::test]
async fn bad_fields_are_refused_by_name() {
    let (app, cookie) = TestApp::signed_in().await;
    let before = app.audited().await;
    let mut answers = String::new();
    for body in bad_bodies() {
        let answer = app
            .post("/api/keys")
            .cookie(&cookie)
            .json(&body)
            .send()
            .await;
        assert_eq!(answer.status, 400, "{body} {answer}");
        let shown: String = body.chars().take(80).collect();
        answers.push_str(&format!(
            "{shown}\n  {}\n  {}\n",
            answer.summary(),
            answer.body
        ));
    }
    insta::assert_snapshot!(answers);
    assert_eq!(app.all_keys(&cookie).await, serde_json::json!([]));
    assert_eq!(app.audited().await, before);
}

fn bad_bodies() -> Vec<String> {
    let mut bodies: Vec<String> = [
        r"{}",
        r#"{"scopes":["chat"]}"#,
        r#"{"name":null}"#,
        r#"{"name":1}"#,
        r#"{"name":["a"]}"#,
        r#"{"name":""}"#,
        r#"{"name":" \t\r\n "}"#,
        r#"{"name":"a\u0000b"}"#,
        r#"{"name":"a\r\nb"}"#,
        r#"{"name":"a\u001b[31mb"}"#,
        r#"{"name":"a\u202eb"}"#,
        r#"{"name":"a\ud800b"}"#,
        r#"{"name":"a","scopes":"chat"}"#,
        r#"{"name":"a","scopes":null}"#,
        r#"{"name":"a","scopes":[]}"#,
        r#"{"name":"a","scopes":[["chat"]]}"#,
        r#"{"name":"a","scopes":["chat",1]}"#,
        r#"{"name":"a","scopes":["chat","delete"]}"#,
        r#"{"name":"a","scopes":["Chat"]}"#,
        r#"{"name":"a","scopes":["admin"]}"#,
        r#"{"name":"a","expires_at":"2026-06-10T08:00:00Z"}"#,
        r#"{"name":"a","expires_at":"1999-01-01T00:00:00Z"}"#,
        r#"{"name":"a","expires_at":"2027-02-30T00:00:00Z"}"#,
        r#"{"name":"a","expires_at":"2027-01-01T00:00:00"}"#,
        r#"{"name":"a","expires_at":"2027-01-01"}"#,
        r#"{"name":"a","expires_at":"2027-01-01T00:00:00.123456789012Z"}"#,
        r#"{"name":"a","expires_at":"10000-01-01T00:00:00Z"}"#,
        r#"{"name":"a","expires_at":"tomorrow"}"#,
        r#"{"name":"a","expires_at":""}"#,
        r#"{"name":"a","expires_at":1781078400}"#,
        r#"{"name":"a","expires_at":true}"#,
        r#"{"name":"a","is_active":true}"#,
        r#"{"name":"a","account_id":"00000000-0000-0000-0000-000000000000"}"#,
        r#"{"name":"a","Name":"b"}"#,
        r#"{"name":"a","name":"b"}"#,
        r#"{"name":"a","limit":1e999}"#,
    ]
    .map(str::to_owned)
    .into();
    bodies.push(format!(r#"{{"name":"{}"}}"#, "a".repeat(256)));
    bodies.push(format!(r#"{{"name":"{}"}}"#, "ü".repeat(256)));
    bodies
}

#[tokio::test]
async fn an_eleventh_active_key_is_refused() {
    let (app, cookie) = TestApp::signed_in().await;
    for index in 0..10 {
        app.key(&cookie, &format!(r#"{{"name":"key {index}"}}"#))
            .await;
    }
    let call = app.post("/api/keys").cookie(&cookie);
    insta::assert_snapshot!(call.json(r#"{"name":"one too many"}"#).send().await);
    let all = app.all_keys(&cookie).await;
    let first = all[9]["id"].as_str().expect("an id");
    let path = format!("/api/keys/{first}");
    app.patch(&path)
        .cookie(&cookie)
        .json(r#"{"is_active":false}"#)
        .send()
        .await;
    app.key(&cookie, r#"{"name":"in its place"}"#).await;
}

#[tokio::test]
async fn the_secret_is_in_no_other_answer_and_no_file() {
    let (app, cookie) = TestApp::signed_in().await;
    let created = app.key(&cookie, r#"{"name":"a"}"#).await;
    let secret = created["key"].as_str().expect("a secret");
    let id = created["id"].as_str().expect("an id");
    for path in ["/api/keys".to_owned(), format!("/api/keys/{id}")] {
        let answer = app.get(&path).cookie(&cookie).send().await;
        assert!(!answer.to_string().contains(&secret[8..]), "{answer}");
    }
    app.close_store().await;
    for entry in std::fs::read_dir(app.folder.path()).expect("readable") {
        let bytes = std::fs::read(entry.expect("readable").path()).expect("readable");
        let found = secret.as_bytes()[8..]
            .windows(12)
            .any(|part| bytes.windows(12).any(|window| window == part));
        assert!(!found, "a part of the secret is in a file");
    }
}

#[tokio::test]
async fn a_store_that_fails_is_said_so() {
    let (app, cookie) = TestApp::signed_in().await;
    app.close_store().await;
    let call = app.post("/api/keys").cookie(&cookie);
    insta::assert_snapshot!(call.json(r#"{"name":"a"}"#).send().await);
}

/// 200 at once with one place left, a hundred times.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_parallel_creates_one_gets_the_last_place() {
    let app = std::sync::Arc::new(TestApp::new());
    // Who may make any number of changes.
    let cookie = app.account_as("ada@example.com", Role::Admin).await;
    for index in 0..9 {
        app.key(&cookie, &format!(r#"{{"name":"key {index}"}}"#))
            .await;
    }
    for _ in 0..100 {
        let creates: Vec<_> = (0..200)
            .map(|_| {
                let (app, cookie) = (app.clone(), cookie.clone());
                tokio::spawn(async move {
                    let call = app.post("/api/keys").cookie(&cookie);
                    call.json(r#"{"name":"the last"}"#).send().await
                })
            })
            .collect();
        let mut ids = Vec::new();
        for create in creates {
            let answer = create.await.expect("no panic");
            match answer.status.as_u16() {
                201 => ids.push(answer.json()["id"].as_str().expect("an id").to_owned()),
                409 => assert_eq!(answer.json()["error"]["code"], "key_limit_reached"),
                _ => panic!("{answer}"),
            }
        }
        assert_eq!(ids.len(), 1);
        let path = format!("/api/keys/{}", ids[0]);
        assert_eq!(app.delete(&path).cookie(&cookie).send().await.status, 200);
    }
}

/// Whoever holds back the body of a request cannot carry a session past its end.
#[tokio::test]
async fn a_session_that_ends_while_the_body_arrives_makes_no_key() {
    let (app, cookie) = TestApp::signed_in().await;
    let sign_out = app.delete("/api/session").cookie(&cookie).send();
    let signed_out = futures_util::FutureExt::map(sign_out, |answer| {
        assert_eq!(answer.status, 204);
        r#"{"name":"too late"}"#.to_owned()
    });
    let call = app.post("/api/keys").cookie(&cookie);
    let call = call.header("content-type", "application/json");
    let answer = call.send_after(signed_out).await;
    assert_eq!(answer.summary(), r#"401 "session_expired" null"#);
    let cookie = app.sign_in("ada@example.com").await;
    assert_eq!(app.all_keys(&cookie).await, serde_json::json!([]));
}

#[tokio::test]
async fn an_account_has_so_many_keys_of_whatever_state() {
    let key_limits = KeyLimits {
        active: 10,
        total: 15,
    };
    let app = TestApp::with(Options {
        key_limits,
        ..Options::default()
    });
    let ada = app.account("ada@example.com").await;
    let mut last = String::new();
    for index in 0..15 {
        let key = app.key(&ada, &format!(r#"{{"name":"key {index}"}}"#)).await;
        last = format!("/api/keys/{}", key["id"].as_str().expect("an id"));
        let off = app.patch(&last).cookie(&ada).json(r#"{"is_active":false}"#);
        assert_eq!(off.send().await.status, 200);
    }
    let create = || {
        app.post("/api/keys")
            .cookie(&ada)
            .json(r#"{"name":"one more"}"#)
            .send()
    };
    let refused = create().await;
    assert_eq!(refused.summary(), r#"409 "key_limit_reached" null"#);
    assert!(refused.body.contains("15 API keys"), "{refused}");
    assert_eq!(app.delete(&last).cookie(&ada).send().await.status, 200);
    assert_eq!(create().await.status, 201);
    assert_eq!(create().await.status, 409);
}

#[tokio::test]
async fn a_member_makes_so_many_changes_in_a_minute() {
    let (app, ada) = TestApp::signed_in().await;
    let bob = app.account("bob@example.com").await;
    let key = app.key(&ada, r#"{"name":"one"}"#).await;
    let path = format!("/api/keys/{}", key["id"].as_str().expect("an id"));
    let rename = async |body: &str| {
        let call = app.patch(&path).cookie(&ada).json(body);
        call.send().await
    };
    // With signing in and the key, all that may be made in a row. What is refused counts nowhere.
    for number in 0..198 {
        assert_eq!(rename(r#"{"name":""}"#).await.status, 400);
        let name = format!(r#"{{"name":"{number}"}}"#);
        assert_eq!(rename(&name).await.status, 200, "{number}");
    }
    let refused = rename(r#"{"name":"one more"}"#).await;
    assert_eq!(refused.summary(), r#"429 "rate_limit_exceeded" null"#);
    assert_eq!(refused.headers["retry-after"], "1");
    let page = app
        .post("/keys/new")
        .cookie(&ada)
        .form("name=a&scopes=chat")
        .send();
    assert_eq!(page.await.status, 429);
    app.key(&bob, r#"{"name":"hers"}"#).await;
    assert_eq!(app.get("/api/keys").cookie(&ada).send().await.status, 200);
    app.clock.advance_millis(-3_600_000);
    app.clock.advance_millis(500);
    assert_eq!(rename(r#"{"name":"one more"}"#).await.status, 200);
    assert_eq!(rename(r#"{"name":"and one"}"#).await.status, 429);
}
