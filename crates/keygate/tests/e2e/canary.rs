//! Canaries: a key, a password and a session token through every route, logged at TRACE.

use std::path::Path;

use reqwest::{Client, Method};
use serde_json::json;

use crate::support::{Account, EMAIL, PASSWORD, Program, Spawn, Upstream};

/// No 12 characters in a row of a canary may be anywhere.
const PART: usize = 12;

struct Canary {
    name: &'static str,
    text: String,
}

impl Canary {
    fn found_in(&self, bytes: &[u8]) -> bool {
        let parts: std::collections::HashSet<&[u8]> = self.text.as_bytes().windows(PART).collect();
        bytes.windows(PART).any(|window| parts.contains(window))
    }
}

fn assert_clean(canaries: &[Canary], bytes: &[u8], place: &str) {
    for canary in canaries {
        assert!(!canary.found_in(bytes), "the {} is in {place}", canary.name);
    }
}

fn assert_files_clean(canaries: &[Canary], folder: &Path) {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        // Sockets cannot be read, and hold nothing.
        if let Ok(bytes) = std::fs::read(&path) {
            assert_clean(canaries, &bytes, &path.display().to_string());
            files += 1;
        }
    }
    assert!(files >= 2, "only {files} files were looked at");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_any_log_answer_or_file() {
    let upstream = Upstream::start().await;
    let mut program = Program::start(Spawn {
        upstream: Some(upstream.url()),
        log: Some("trace".into()),
        ..Spawn::default()
    });
    let account = Account::create(&program).await;
    let (id, key) = account.key(&["chat", "read", "write"]).await;
    let (_, token) = account.cookie.split_once('=').expect("a pair");
    let canaries = [
        Canary {
            name: "key",
            text: key[4 + 4..].to_owned(),
        },
        Canary {
            name: "password",
            text: PASSWORD.to_owned(),
        },
        Canary {
            name: "session token",
            text: token.to_owned(),
        },
    ];

    let id_path = format!("/api/keys/{id}");
    let sign_in = json!({"email": EMAIL, "password": PASSWORD});
    let sign_up = json!({"email": EMAIL, "password": PASSWORD, "invitation": token});
    let password = json!({"current_password": PASSWORD, "password": PASSWORD});
    let odd = json!({"name": {"key": key}, "password": PASSWORD});
    let calls = [
        (Method::GET, "/healthz", None),
        (Method::GET, "/readyz", None),
        (Method::GET, "/api/session", None),
        (Method::GET, "/api/keys", None),
        (Method::GET, &id_path, None),
        (Method::PATCH, &id_path, Some(json!({"name": "renamed"}))),
        (Method::PATCH, &id_path, Some(odd.clone())),
        (Method::POST, "/api/keys", Some(odd)),
        (Method::POST, "/api/session", Some(sign_in)),
        (
            Method::POST,
            "/api/session",
            Some(json!({"email": PASSWORD, "password": key})),
        ),
        (Method::POST, "/api/accounts", Some(sign_up)),
        (Method::GET, "/api/nothing", None),
        (Method::PUT, "/api/keys", None),
        (Method::GET, "/v1/models", None),
        (
            Method::POST,
            "/v1/chat/completions",
            Some(json!({"model": "m"})),
        ),
        (Method::DELETE, "/v1/files/x", None),
        (Method::GET, "/v1//models", None),
        (Method::GET, &format!("/v1/{key}"), None),
        (Method::GET, &format!("/v1/models?key={key}"), None),
        (Method::GET, &format!("/api/keys/{key}"), None),
        (Method::GET, &format!("/{key}"), None),
        (Method::POST, "/api/account/password", Some(password)),
        (Method::DELETE, &id_path, None),
        (Method::DELETE, "/api/session", None),
    ];
    let http2 = Client::builder()
        .http2_prior_knowledge()
        .build()
        .expect("a client");
    for client in [Client::new(), http2] {
        for (method, path, body) in &calls {
            let mut request = client.request(method.clone(), format!("{}{path}", program.url));
            request = request.header("cookie", &account.cookie).bearer_auth(&key);
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = request.send().await.expect("it answers");
            let place = format!("the answer to {method} {}", path.replace(&key, "KEY"));
            let headers = format!("{:?}", answer.headers());
            let body = answer.bytes().await.expect("a body");
            assert_clean(&canaries, headers.as_bytes(), &place);
            assert_clean(&canaries, &body, &place);
        }
    }
    // A new session's cookie is a secret too, but not one of the canaries: it is new each time.
    for seen in upstream.seen() {
        if !seen.target.contains(&key) {
            assert_clean(
                &canaries,
                format!("{seen:?}").as_bytes(),
                "a request to the upstream",
            );
        }
    }

    assert_files_clean(&canaries, &program.data());
    program.kill();
    assert_files_clean(&canaries, &program.data());
    let mut program = program.restart();
    assert!(program.terminate().success());
    assert_files_clean(&canaries, &program.data());
    let log = program.log();
    assert!(log.contains("\"level\":\"TRACE\""), "the log is at TRACE");
    assert_clean(&canaries, log.as_bytes(), "the log");
}
