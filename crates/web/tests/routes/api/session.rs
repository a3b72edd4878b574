use keygate_control::Actor;
use serde_json::json;

use crate::support::{Answer, Options, PASSWORD, TestApp};

async fn sign_in(app: &TestApp, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password}).to_string();
    app.post("/api/session").json(&body).send().await
}

#[tokio::test]
async fn signing_in_sets_a_strict_cookie() {
    let (app, _) = TestApp::signed_in().await;
    insta::assert_snapshot!(sign_in(&app, " Ada@Example.com ", PASSWORD).await);
}

#[tokio::test]
async fn at_an_https_address_the_cookie_is_bound_to_the_host() {
    let app = TestApp::with(Options::https());
    let cookie = app.account("ada@example.com").await;
    assert!(cookie.starts_with("__Host-keygate_session="), "{cookie}");
    assert_eq!(
        app.get("/api/session").cookie(&cookie).send().await.status,
        200
    );
    let bare = cookie.replace("__Host-", "");
    assert_eq!(
        app.get("/api/session").cookie(&bare).send().await.status,
        401
    );
}

#[tokio::test]
async fn the_session_says_whose_it_is() {
    let (app, cookie) = TestApp::signed_in().await;
    insta::assert_snapshot!(app.get("/api/session").cookie(&cookie).send().await);
}

#[tokio::test]
async fn each_sign_in_is_a_session_of_its_own() {
    let (app, first) = TestApp::signed_in().await;
    let second = app.sign_in("ada@example.com").await;
    assert_ne!(first, second);
    app.delete("/api/session").cookie(&first).send().await;
    assert_eq!(
        app.get("/api/session").cookie(&first).send().await.status,
        401
    );
    assert_eq!(
        app.get("/api/session").cookie(&second).send().await.status,
        200
    );
}

#[tokio::test]
async fn signing_out_ends_the_session_on_the_server() {
    let (app, cookie) = TestApp::signed_in().await;
    insta::assert_snapshot!(app.delete("/api/session").cookie(&cookie).send().await);
    insta::assert_snapshot!(app.get("/api/keys").cookie(&cookie).send().await);
}

#[tokio::test]
async fn without_a_cookie_a_session_is_required() {
    let (app, _) = TestApp::signed_in().await;
    insta::assert_snapshot!(app.get("/api/keys").send().await);
}

#[tokio::test]
async fn an_api_key_is_no_session() {
    let (app, cookie) = TestApp::signed_in().await;
    let key = app.key(&cookie, r#"{"name":"a"}"#).await;
    let bearer = format!("Bearer {}", key["key"].as_str().expect("a secret"));
    let answer = app
        .get("/api/keys")
        .header("authorization", &bearer)
        .send()
        .await;
    assert_eq!(answer.summary(), r#"401 "session_required" null"#);
}

#[tokio::test]
async fn what_is_no_token_is_an_ended_session() {
    let (app, _) = TestApp::signed_in().await;
    for value in ["", "x", "' OR 1=1 --", &"a".repeat(43), &"a".repeat(8_000)] {
        let cookie = format!("keygate_session={value}");
        let answer = app.get("/api/keys").cookie(&cookie).send().await;
        assert_eq!(answer.summary(), r#"401 "session_expired" null"#, "{value}");
    }
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_to_the_second() {
    let (app, cookie) = TestApp::signed_in().await;
    let hour = 3_600_000;
    let get = async || app.get("/api/session").cookie(&cookie).send().await.status;
    app.clock.advance_millis(hour - 1_000);
    assert_eq!(get().await, 200);
    app.clock.advance_millis(hour - 1_000);
    assert_eq!(get().await, 200, "its use was noted");
    let (app, cookie) = TestApp::signed_in().await;
    app.clock.advance_millis(hour);
    let answer = app.get("/api/session").cookie(&cookie).send().await;
    assert_eq!(answer.summary(), r#"401 "session_expired" null"#);
}

#[tokio::test]
async fn a_session_ends_after_its_time_however_much_it_is_used() {
    let (app, cookie) = TestApp::signed_in().await;
    for _ in 0..7 {
        app.clock.advance_millis(1_000_000);
        let answer = app.get("/api/session").cookie(&cookie).send().await;
        assert_eq!(answer.status, 200);
    }
    app.clock.advance_millis(199_999);
    assert_eq!(
        app.get("/api/session").cookie(&cookie).send().await.status,
        200
    );
    app.clock.advance_millis(1);
    assert_eq!(
        app.get("/api/session").cookie(&cookie).send().await.status,
        401
    );
}

#[tokio::test]
async fn wrong_credentials_all_get_the_same_answer() {
    let (app, _) = TestApp::signed_in().await;
    let mut answers = Vec::new();
    for (email, password) in [
        ("ada@example.com", "wrong horse battery staple"),
        ("ada@example.com", "short"),
        ("ada@example.com", &"long".repeat(100)),
        ("ada@example.com", ""),
        ("eve@example.com", PASSWORD),
        ("not an address", PASSWORD),
        ("", ""),
    ] {
        answers.push(sign_in(&app, email, password).await.to_string());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");
    insta::assert_snapshot!(answers[0]);
}

#[tokio::test]
async fn attempts_are_limited_per_account_in_all_its_spellings() {
    let (app, _) = TestApp::signed_in().await;
    for index in 0..10 {
        let email = ["ada@example.com", " ADA@Example.com"][index % 2];
        let answer = sign_in(&app, email, "wrong horse battery staple").await;
        assert_eq!(answer.status, 401);
    }
    insta::assert_snapshot!(sign_in(&app, "ada@example.com", PASSWORD).await);
    app.clock.advance_millis(10_000);
    assert_eq!(sign_in(&app, "ada@example.com", PASSWORD).await.status, 204);
}

#[tokio::test]
async fn attempts_are_limited_per_address() {
    let (app, _) = TestApp::signed_in().await;
    for index in 0..30 {
        let email = format!("nobody{index} at example.com");
        assert_eq!(sign_in(&app, &email, PASSWORD).await.status, 401);
    }
    let answer = sign_in(&app, "bob@example.com", PASSWORD).await;
    assert_eq!(answer.summary(), r#"429 "rate_limit_exceeded" null"#);
    // Who has signed in from there before has attempts of their own.
    assert_eq!(sign_in(&app, "ada@example.com", PASSWORD).await.status, 204);
}

#[tokio::test]
async fn strangers_do_not_use_up_the_attempts_of_the_owner() {
    let (app, _) = TestApp::signed_in().await;
    let attempt = async |from: &str, password| {
        let body = serde_json::json!({"email": "ada@example.com", "password": password});
        let call = app.post("/api/session").from(from).json(&body.to_string());
        call.send().await.status.as_u16()
    };
    let wrong = "wrong horse battery staple";
    // From one network, however often, and whatever address it has there.
    for host in 0..12 {
        let expected = if host < 10 { 401 } else { 429 };
        let from = format!("2001:db8:1:1::{host:x}");
        assert_eq!(attempt(&from, wrong).await, expected, "{host}");
    }
    assert_eq!(attempt("203.0.113.5", PASSWORD).await, 204, "another one");
    // From a hundred networks.
    for network in 0..110 {
        attempt(&format!("10.{network}.0.1"), wrong).await;
    }
    assert_eq!(attempt("198.18.0.1", PASSWORD).await, 429, "an unknown one");
    for known in ["203.0.113.5", "203.0.113.77", "192.0.2.1"] {
        assert_eq!(attempt(known, PASSWORD).await, 204, "{known}");
    }
}

#[tokio::test]
async fn who_signs_in_is_not_counted() {
    let (app, _) = TestApp::signed_in().await;
    for _ in 0..40 {
        app.sign_in("ada@example.com").await;
    }
}

#[tokio::test]
async fn a_suspended_account_is_told_so_only_with_its_password() {
    let (app, cookie) = TestApp::signed_in().await;
    let ada = app.control.get_account("ada@example.com").await;
    let ada = ada.expect("she is there").id;
    let suspended = app.control.suspend_account(Actor::Operator, ada).await;
    suspended.expect("suspended");
    let ended = app.get("/api/keys").cookie(&cookie).send().await;
    assert_eq!(ended.summary(), r#"401 "session_expired" null"#);
    insta::assert_snapshot!(sign_in(&app, "ada@example.com", PASSWORD).await);
    let wrong = sign_in(&app, "ada@example.com", "wrong horse battery staple").await;
    assert_eq!(wrong.summary(), r#"401 "invalid_credentials" null"#);
    let resumed = app.control.resume_account(Actor::Operator, ada).await;
    resumed.expect("resumed");
    assert_eq!(sign_in(&app, "ada@example.com", PASSWORD).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_four_hashes_at_once_are_too_many() {
    let (app, _) = TestApp::signed_in().await;
    let app = std::sync::Arc::new(app);
    let calls: Vec<_> = (0..25)
        .map(|index| {
            let app = app.clone();
            tokio::spawn(async move {
                let email = format!("nobody{index}@example.com");
                sign_in(&app, &email, PASSWORD).await
            })
        })
        .collect();
    let mut busy = Vec::new();
    for call in calls {
        let answer = call.await.expect("no panic");
        match answer.status.as_u16() {
            401 => {}
            503 => busy.push(answer),
            _ => panic!("{answer}"),
        }
    }
    insta::assert_snapshot!(busy.first().expect("25 at once are too many"));
}

#[tokio::test]
async fn bad_fields_are_refused_by_name() {
    let (app, _) = TestApp::signed_in().await;
    let mut answers = String::new();
    for body in [
        r"{}",
        r#"{"email":"ada@example.com"}"#,
        r#"{"email":1,"password":"x"}"#,
        r#"{"email":"ada@example.com","password":null}"#,
        r#"{"email":"ada@example.com","password":"x","remember":true}"#,
        r#"{"email":"a","email":"b","password":"x"}"#,
    ] {
        let answer = app.post("/api/session").json(body).send().await;
        answers.push_str(&format!("{body}\n  {}\n", answer.summary()));
    }
    insta::assert_snapshot!(answers);
}
