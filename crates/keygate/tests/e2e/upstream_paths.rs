//! Upstreams at any path, and the listener that is the data plane's alone.

use http::{Method, StatusCode};
use serde_json::Value;

use crate::support::{Account, LANES, Program, Spawn, Upstream};

struct Answer {
    status: StatusCode,
    body: String,
}

impl Answer {
    fn message(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).expect("JSON");
        body["error"]["message"].as_str().expect("one").to_owned()
    }
}

async fn ask(method: Method, url: &str, key: &str, lane: &str) -> Answer {
    let client = reqwest::Client::new();
    let request = client.request(method, url).bearer_auth(key);
    let answer = request.header("connection", lane).send().await;
    let answer = answer.expect("an answer");
    Answer {
        status: answer.status(),
        body: answer.text().await.expect("a body"),
    }
}

fn program(upstreams: &[(&str, &str, &Upstream)], more: &str) -> Program {
    let mut config = more.to_owned();
    for (path, lines, upstream) in upstreams {
        let url = upstream.url();
        config.push_str(&format!(
            "[[upstream]]\npath = \"{path}\"\nurl = \"{url}\"\n{lines}\n"
        ));
    }
    Program::start(Spawn {
        config: Some(config),
        ..Spawn::default()
    })
}

#[tokio::test]
async fn each_path_leads_to_its_upstream_with_or_without_the_path() {
    let (ollama, tokenizer, v1, rest) = (
        Upstream::start().await,
        Upstream::start().await,
        Upstream::start().await,
        Upstream::start().await,
    );
    let program = program(
        &[
            ("/ollama", "strip_path = true", &ollama),
            ("/tokenize", "", &tokenizer),
            ("/v1", "", &v1),
            ("/", "", &rest),
        ],
        "",
    );
    let account = Account::create(&program).await;
    let (_, chat) = account.key(&["chat"]).await;
    let (_, write) = account.key(&["write"]).await;
    for (path, upstream, target, is_inference) in [
        ("/ollama/api/chat?x=1", &ollama, "/api/chat?x=1", true),
        ("/ollama/api/pull", &ollama, "/api/pull", false),
        ("/ollama", &ollama, "/", false),
        ("/tokenize", &tokenizer, "/tokenize", false),
        ("/v1/chat/completions", &v1, "/v1/chat/completions", true),
        ("/detokenize", &rest, "/detokenize", true),
        ("/predict/a", &rest, "/predict/a", false),
    ] {
        for lane in LANES {
            let url = format!("{}{path}", program.url);
            let (fitting, other) = if is_inference {
                (&chat, &write)
            } else {
                (&write, &chat)
            };
            let before = upstream.seen().len();
            let refused = ask(Method::POST, &url, other, lane).await;
            assert_eq!(refused.status, 403, "{path}: {}", refused.body);
            assert_eq!(upstream.seen().len(), before, "{path}");
            let answer = ask(Method::POST, &url, fitting, lane).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
            assert_eq!(upstream.last_seen().target, target, "{path}");
        }
    }
}

/// Where an upstream has all other paths, keygate's own reach it in no spelling.
#[tokio::test]
async fn keygates_own_paths_reach_no_upstream() {
    let upstream = Upstream::start().await;
    let program = program(&[("/", "", &upstream)], "");
    let (_, key) = Account::create(&program).await.key(&["read"]).await;
    for lane in LANES {
        for path in [
            "/%61pi/keys",
            "/api%2fkeys",
            "/API/keys",
            "/%76erify",
            "/Keys",
            "/",
        ] {
            let url = format!("{}{path}", program.url);
            let answer = ask(Method::GET, &url, &key, lane).await;
            assert_ne!(answer.status, 502, "{path}: {}", answer.body);
            assert_eq!(upstream.seen().len(), 0, "{path}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn keygates_own_paths_win_but_for_the_listener_of_the_data_plane() {
    let upstream = Upstream::start().await;
    let program = program(
        &[("/api", "", &upstream), ("/openai", "", &upstream)],
        "[gateway]\nlisten = \"127.0.0.1:0\"\n",
    );
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["read"]).await;
    let gateway = program.gateway_address();
    for lane in LANES {
        let before = upstream.seen().len();
        // The key is no session.
        for (path, status) in [("/api/keys", 401), ("/api/tags", 404), ("/healthz", 200)] {
            let url = format!("{}{path}", program.url);
            let answer = ask(Method::GET, &url, &key, lane).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.body);
        }
        assert_eq!(upstream.seen().len(), before);
        for path in ["/api/keys", "/api/tags", "/openai/models"] {
            let url = format!("http://{gateway}{path}");
            let answer = ask(Method::GET, &url, &key, lane).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
            assert_eq!(upstream.last_seen().target, path);
            let refused = ask(Method::GET, &url, "ask_none", lane).await;
            assert_eq!(refused.status, 401, "{path}: {}", refused.body);
        }
        for (path, status, message) in [
            ("/healthz", 404, "No upstream has this path"),
            ("/verify", 404, "No upstream has this path"),
            ("/", 404, "No upstream has this path"),
            ("/chat/completions", 404, "begin with /v1"),
            ("/v1/models", 502, "No upstream is configured"),
        ] {
            let url = format!("http://{gateway}{path}");
            let answer = ask(Method::GET, &url, &key, lane).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.body);
            assert!(
                answer.message().contains(message),
                "{path}: {}",
                answer.body
            );
        }
    }
    // Revoked here, it opens nothing there.
    let (id, other) = account.key(&["read"]).await;
    account.delete(&id).await;
    let url = format!("http://{gateway}/api/tags");
    assert_eq!(ask(Method::GET, &url, &other, LANES[0]).await.status, 401);
}
