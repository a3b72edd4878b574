//! `/verify`, as proxies ask there.

use http::{HeaderMap, Method};
use reqwest::{RequestBuilder, Response};

use crate::support::{Account, Program, Spawn};

struct World {
    program: Program,
    account: Account,
}

impl World {
    async fn with_config(config: &str) -> Self {
        let program = Program::start(Spawn {
            config: Some(config.to_owned()),
            ..Spawn::default()
        });
        Self {
            account: Account::create(&program).await,
            program,
        }
    }

    async fn trusting_loopback() -> Self {
        Self::with_config("[server]\ntrusted_proxies = [\"127.0.0.1\"]\n").await
    }

    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.program.url);
        self.account.client.request(method, url)
    }

    /// Asks about a request as nginx does.
    async fn ask_about(&self, method: &str, target: &str, key: &str) -> Response {
        let question = self.ask(Method::GET, "/verify").bearer_auth(key);
        let question = question
            .header("x-original-method", method)
            .header("x-original-uri", target);
        question.send().await.expect("an answer")
    }
}

fn identity(headers: &HeaderMap) -> Vec<&str> {
    let names = [
        "x-keygate-key-id",
        "x-keygate-account-id",
        "x-keygate-scopes",
    ];
    names
        .iter()
        .map(|name| headers[*name].to_str().expect("ASCII"))
        .collect()
}

#[tokio::test]
async fn every_method_is_answered_200_without_a_body() {
    let world = World::trusting_loopback().await;
    let (id, key) = world.account.key(&["read"]).await;
    for method in [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
    ] {
        let question = world.ask(method.clone(), "/verify").bearer_auth(&key);
        let question = question
            .header("x-forwarded-method", "GET")
            .header("x-forwarded-uri", "/v1/models");
        let answer = question.send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{method}");
        let [key_id, account_id, scopes] = identity(answer.headers())[..] else {
            panic!("three headers");
        };
        assert_eq!((key_id, scopes), (&*id, "read"));
        assert_eq!(account_id.len(), 36);
        assert!(answer.headers().contains_key("x-request-id"));
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.bytes().await.expect("a body").len(), 0);
    }
}

#[tokio::test]
async fn the_original_method_and_path_decide() {
    let world = World::with_config(
        "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n\
         [[route]]\npath = \"/internal/**\"\nscope = \"admin\"\n",
    )
    .await;
    let (_, key) = world.account.key(&["read"]).await;
    for (method, target, status) in [
        ("GET", "/v1/models", 200),
        ("HEAD", "/anything/else?x=1", 200),
        ("GET", "/v1/models/org%2Fname", 200),
        ("POST", "/v1/models", 403),
        ("POST", "/v1/chat/completions", 403),
        ("GET", "/internal/metrics", 403),
        ("GET", "/v1//models", 403),
        ("GET", "/v1/../internal/metrics", 403),
        ("GET", "/v1/%2e%2e/internal", 403),
    ] {
        let answer = world.ask_about(method, target, &key).await;
        assert_eq!(answer.status(), status, "{method} {target}");
    }
}

#[tokio::test]
async fn a_path_after_verify_is_the_original_one() {
    let world = World::trusting_loopback().await;
    let (_, key) = world.account.key(&["read"]).await;
    for (method, path, status) in [
        (Method::GET, "/verify/v1/models?x=1", 200),
        (Method::POST, "/verify/v1/models", 403),
        (Method::GET, "/verify//v1/models", 403),
    ] {
        let question = world.ask(method, path).bearer_auth(&key);
        let answer = question.send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{path}");
    }
}

#[tokio::test]
async fn a_refusal_says_why_in_body_and_header() {
    let world = World::trusting_loopback().await;
    let (_, key) = world.account.key(&["chat"]).await;
    let answer = world.ask_about("GET", "/v1/models", &key).await;
    assert_eq!(answer.status(), 403);
    let header = answer.headers()["x-keygate-error"].clone();
    assert!(answer.headers().contains_key("www-authenticate"));
    let body = answer.text().await.expect("a body");
    assert_eq!(header.to_str().expect("ASCII"), body);
    assert!(body.contains("\"code\":\"insufficient_scope\""), "{body}");
}

#[tokio::test]
async fn a_strangers_question_is_refused_whatever_the_key() {
    let world = World::with_config("").await;
    let (_, key) = world.account.key(&["read"]).await;
    let answer = world.ask_about("GET", "/v1/models", &key).await;
    assert_eq!(answer.status(), 403);
    assert!(!answer.headers().contains_key("x-keygate-key-id"));
    let body = answer.text().await.expect("a body");
    assert!(body.contains("\"code\":\"forward_auth_refused\""), "{body}");
    assert!(body.contains("server.trusted_proxies"), "{body}");
}

#[tokio::test]
async fn a_question_that_names_two_requests_is_refused() {
    let world = World::trusting_loopback().await;
    let (_, key) = world.account.key(&["chat"]).await;
    let question = world.ask(Method::GET, "/verify").bearer_auth(&key);
    let question = question
        .header("x-original-method", "GET")
        .header("x-original-uri", "/v1/files")
        .header("x-forwarded-method", "POST")
        .header("x-forwarded-uri", "/v1/chat/completions");
    let answer = question.send().await.expect("an answer");
    assert_eq!(answer.status(), 403);
    let body = answer.text().await.expect("a body");
    assert!(body.contains("contradict"), "{body}");
}

#[tokio::test]
async fn a_handshake_is_a_socket_and_may_turn_out_to_be_a_get() {
    let world = World::trusting_loopback().await;
    for (scopes, target, status) in [
        (&["chat"][..], "/v1/realtime", 200),
        (&["read"], "/v1/realtime", 403),
        (&["chat"], "/v1/files", 403),
        (&["write"], "/v1/files", 403),
        (&["read", "write"], "/v1/files", 200),
    ] {
        let (_, key) = world.account.key(scopes).await;
        let question = world.ask(Method::GET, "/verify").bearer_auth(&key);
        let question = question
            .header("upgrade", "websocket")
            .header("x-original-method", "GET")
            .header("x-original-uri", target);
        let answer = question.send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{scopes:?} {target}");
    }
}

#[tokio::test]
async fn what_is_no_exchange_is_refused() {
    let world = World::trusting_loopback().await;
    let (_, key) = world.account.key(&["read", "write"]).await;
    for method in ["CONNECT", "TRACE"] {
        let answer = world.ask_about(method, "/v1/realtime", &key).await;
        assert_eq!(answer.status(), 403, "{method}");
    }
}
