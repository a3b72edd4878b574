//! What passes through the gateway, and what does not.

use futures_util::StreamExt;
use http::{HeaderMap, Version};
use reqwest::{Body, Client, Method, Response};
use serde_json::{Value, json};

use crate::support::{Account, Program, Spawn, Upstream, World, eventually};

async fn world() -> World {
    World::with_scopes(&["chat", "read", "write"]).await
}

impl World {
    /// Sends a request line, the key, and the rest of a request as it is, and closes.
    fn raw(&self, line: &str, rest: &str) -> String {
        let key = &self.key;
        let request = format!(
            "{line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n{rest}"
        );
        self.program.raw(request.as_bytes())
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.program.url));
        request = request.bearer_auth(&self.key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.expect("it answers")
    }
}

fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upstream_sees_whose_request_it_is_and_no_credential() {
    let world = world().await;
    let answer = world
        .send(
            Method::GET,
            "/v1/models?limit=1&after=%2Fx",
            &[
                ("cookie", "keygate_session=secret; other=1"),
                ("x-keygate-key-id", "spoofed"),
                ("X_Keygate_Scopes", "admin"),
                ("connection", "x-hop, x-keygate-account-id"),
                ("x-hop", "1"),
                ("te", "trailers"),
                ("upgrade", "websocket"),
                ("x-custom", "passes"),
            ],
        )
        .await;
    assert_eq!(answer.status(), 200);
    let seen = world.upstream.last_seen();
    assert_eq!(seen.target, "/v1/models?limit=1&after=%2Fx");
    assert_eq!(
        names(&seen.headers),
        [
            "accept",
            "forwarded",
            "host",
            "via",
            "x-custom",
            "x-forwarded-for",
            "x-keygate-account-id",
            "x-keygate-key-id",
            "x-keygate-scopes",
            "x-request-id",
        ]
    );
    assert_eq!(seen.headers["host"], world.upstream.address.to_string());
    assert_eq!(seen.headers["x-keygate-scopes"], "chat read write");
    let ids = seen.headers.get_all("x-keygate-key-id").iter().count();
    assert_eq!(ids, 1);
    assert_eq!(
        seen.headers["x-request-id"],
        answer.headers()["x-request-id"]
    );
    let text = format!("{:?}", seen.headers);
    assert!(
        !text.contains(&world.key[4..]) && !text.contains("spoofed"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upstream_sets_no_cookie_on_keygates_origin() {
    let world = world().await;
    let answer = world.send(Method::GET, "/v1/cookie", &[]).await;
    assert_eq!(answer.headers()["x-plain"], "passes");
    assert!(!answer.headers().contains_key("set-cookie"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_opens_no_door_of_the_data_plane() {
    let world = world().await;
    let account = Account::sign_in(&world.program.url).await;
    let answer = account.call(Method::GET, "/v1/models").send().await;
    assert_eq!(answer.expect("it answers").status(), 401);
    assert_eq!(world.upstream.seen().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_with_two_readings_never_reach_the_upstream() {
    let world = world().await;
    for target in [
        "/v1//models",
        "/v1/../api/keys",
        "/v1/%2e%2e/secret",
        "/v1/chat%2Fcompletions",
        "/v1/%63hat/completions",
        "/v1/models%00",
        "/v1/models\\x",
        "/v1/%",
    ] {
        let answer = world.raw(&format!("POST {target}"), "Content-Length: 0\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 400"), "{target} {answer}");
    }
    assert_eq!(world.upstream.seen().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_path_of_an_absolute_target_is_the_one_that_counts() {
    let world = world().await;
    let answer = world.raw("GET http://evil.example/v1/models", "\r\n");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let seen = world.upstream.last_seen();
    assert_eq!(seen.target, "/v1/models");
    assert_eq!(seen.headers["host"], world.upstream.address.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_comes_in_and_http1_goes_out() {
    let world = world().await;
    let client = Client::builder().http2_prior_knowledge().build();
    let request = client
        .expect("a client")
        .post(format!("{}/v1/chat/completions", world.program.url))
        .bearer_auth(&world.key)
        .json(&json!({"model": "m"}));
    let answer = request.send().await.expect("it answers");
    assert_eq!(
        (answer.status().as_u16(), answer.version()),
        (200, Version::HTTP_2)
    );
    let seen = world.upstream.last_seen();
    assert_eq!((seen.version, seen.body_bytes), (Version::HTTP_11, 13));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_upload_streams_through_without_being_held() {
    const MIB: usize = 1024 * 1024;
    let world = world().await;
    world.send(Method::GET, "/v1/models", &[]).await;
    let before = world.program.resident_bytes();
    let chunks = (0..512).map(|_| Ok::<_, std::io::Error>(vec![7_u8; MIB]));
    let body = Body::wrap_stream(futures_util::stream::iter(chunks));
    let request = world.client.post(format!("{}/v1/files", world.program.url));
    let answer = request.bearer_auth(&world.key).body(body).send().await;
    assert_eq!(answer.expect("it answers").status(), 200);
    assert_eq!(world.upstream.last_seen().body_bytes, 512 * MIB as u64);
    let grown = world.program.resident_bytes().saturating_sub(before);
    assert!(grown < 32 * MIB as u64, "it grew by {grown} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_takes_its_request_along() {
    let world = world().await;
    let request = world.client.get(format!("{}/v1/slow", world.program.url));
    let request = request.bearer_auth(&world.key).send();
    let waiting = tokio::spawn(request);
    eventually("the request is under way", async || {
        world.upstream.active() == 1
    })
    .await;
    waiting.abort();
    eventually("the upstream is rid of it", async || {
        world.upstream.active() == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_path_chooses_the_upstream_and_its_credential_goes_along() {
    let (general, audio) = (Upstream::start().await, Upstream::start().await);
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let credential = folder.path().join("credential");
    std::fs::write(&credential, "upstream-secret\n").expect("written");
    let program = Program::start(Spawn {
        config: Some(format!(
            "[[upstream]]\nurl = \"{}/base\"\n\n[[upstream]]\npath = \"/v1/audio\"\nurl = \"{}\"\ncredential_file = \"{}\"\n\n[[route]]\nmethods = [\"DELETE\"]\npath = \"/v1/models/**\"\nscope = \"admin\"\n",
            general.url(),
            audio.url(),
            credential.display()
        )),
        ..Spawn::default()
    });
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["chat", "read", "write"]).await;
    let client = Client::new();
    let send = async |method: Method, path: &str| {
        let request = client.request(method, format!("{}{path}", program.url));
        let answer = request.bearer_auth(&key).send().await;
        answer.expect("it answers").status().as_u16()
    };
    assert_eq!(send(Method::GET, "/v1/models").await, 200);
    let seen = general.last_seen();
    assert_eq!(seen.target, "/base/v1/models");
    assert!(!seen.headers.contains_key("authorization"));
    assert_eq!(send(Method::POST, "/v1/audio/speech").await, 200);
    let seen = audio.last_seen();
    assert_eq!(seen.target, "/v1/audio/speech");
    assert_eq!(seen.headers["authorization"], "Bearer upstream-secret");
    assert_eq!(send(Method::DELETE, "/v1/models/x").await, 403);
    assert_eq!(send(Method::DELETE, "/v1/files/x").await, 200);
}

/// Takes a table away under the running program, which then asks for what is not there.
fn break_storage(program: &Program) {
    let database = rusqlite::Connection::open(program.data().join("keygate.db"));
    let database = database.expect("it opens");
    let broken = database.execute_batch("ALTER TABLE api_keys RENAME TO elsewhere");
    broken.expect("it is renamed");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_table_a_known_key_works_and_an_unknown_one_is_an_internal_error() {
    let world = world().await;
    assert_eq!(
        world.send(Method::GET, "/v1/models", &[]).await.status(),
        200
    );
    let account = Account::sign_in(&world.program.url).await;
    let (_, unused) = account.key(&["read"]).await;
    break_storage(&world.program);
    assert_eq!(
        world.send(Method::GET, "/v1/models", &[]).await.status(),
        200
    );
    let request = world.client.get(format!("{}/v1/models", world.program.url));
    let answer = request
        .bearer_auth(&unused)
        .send()
        .await
        .expect("it answers");
    assert_eq!(answer.status(), 500);
    let body: serde_json::Value = answer.json().await.expect("JSON");
    assert_eq!(body["error"]["code"], "internal_error");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_download_streams_through_without_being_held() {
    const MIB: u64 = 1024 * 1024;
    let world = world().await;
    world.send(Method::GET, "/v1/models", &[]).await;
    let before = world.program.resident_bytes();
    let answer = world.send(Method::GET, "/v1/download", &[]).await;
    let mut chunks = answer.bytes_stream();
    let mut received = 0;
    while let Some(chunk) = chunks.next().await {
        received += chunk.expect("a chunk").len() as u64;
    }
    assert_eq!(received, 512 * MIB);
    let grown = world.program.resident_bytes().saturating_sub(before);
    assert!(grown < 32 * MIB, "it grew by {grown} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_an_id_on_both_planes() {
    let world = world().await;
    for path in [
        "/v1/models",
        "/v1//x",
        "/api/keys",
        "/healthz",
        "/nothing",
        "/signup",
    ] {
        let answer = world
            .send(Method::GET, path, &[("x-request-id", "mine-1")])
            .await;
        assert_eq!(answer.headers()["x-request-id"], "mine-1", "{path}");
        let answer = world
            .send(Method::GET, path, &[("x-request-id", "not plain")])
            .await;
        let id = answer.headers()["x-request-id"].to_str().expect("ASCII");
        assert!(id.starts_with("req-"), "{path} {id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_clear_http_is_refused_and_the_connection_closed() {
    let world = world().await;
    let many = "X: y\r\n".repeat(200);
    let long = "a".repeat(100_000);
    for (status, request) in [
        (400, "GET /v1/models HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n".to_owned()),
        (400, "GET /v1/models HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n".to_owned()),
        (400, "POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_owned()),
        (400, "POST /v1/files HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n".to_owned()),
        (400, "POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned()),
        (400, "GET /v1/models HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n".to_owned()),
        (400, "GET /v1/models HTTP/1.1\r\n\r\n".to_owned()),
        (400, "nonsense\r\n\r\n".to_owned()),
        (400, "GET /v1/models HTTP/3.1\r\nHost: x\r\n\r\n".to_owned()),
        (400, "GET /v1/models\r\nHost: x\r\n\r\n".to_owned()),
        (400, "GET /v1/mo dels HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        (400, "POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n".to_owned()),
        (400, "GET /v1/models HTTP/1.1\r\nHost: x\r\nX Y: z\r\n\r\n".to_owned()),
        (431, format!("GET /v1/models HTTP/1.1\r\nHost: x\r\n{many}\r\n")),
        (431, format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n")),
        (414, format!("GET /v1/{long} HTTP/1.1\r\nHost: x\r\n\r\n")),
    ] {
        let key = format!("\r\nAuthorization: Bearer {}\r\n", world.key);
        let request = request.replacen("\r\n", &key, 1);
        let before = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        // What has come in one piece with another may be longer.
        let is_alike = status == 400;
        let before = [("", 1), (before, 2)].into_iter();
        for (before, answers) in before.take(if is_alike { 2 } else { 1 }) {
            let answer = world.program.raw(format!("{before}{request}").as_bytes());
            let place = format!("{before}{request:.80} {answer}");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), answers, "{place}");
            let refusal = &answer[answer.rfind("HTTP/1.1 ").expect("an answer")..];
            let (head, body) = refusal.split_once("\r\n\r\n").expect("a head");
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{place}");
            assert!(head.contains("\r\nx-request-id: req-"), "{place}");
            assert!(head.contains("\r\nconnection: close"), "{place}");
            let error: Value = serde_json::from_str(body).expect("JSON");
            assert_eq!(error["error"]["code"], "invalid_request", "{place}");
        }
    }
    assert_eq!(world.upstream.seen().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_would_show_or_tunnel_are_not_passed_on() {
    let world = world().await;
    for line in ["TRACE /v1/models", "CONNECT /v1/models"] {
        let answer = world.raw(line, "\r\n");
        assert!(answer.starts_with("HTTP/1.1 405"), "{line} {answer}");
        assert!(answer.contains("\r\nallow: GET,HEAD,"), "{answer}");
    }
    assert_eq!(world.upstream.seen().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_some_servers_read_in_capitals_is_refused() {
    let world = world().await;
    for lane in ["", "Transfer-Encoding: chunked\r\nConnection: close\r\n"] {
        for method in ["delete", "Post", "trace", "propfind"] {
            let line = format!("{method} /v1/models/a HTTP/1.1\r\nHost: x\r\n");
            let key = &world.key;
            let request = format!("{line}Authorization: Bearer {key}\r\n{lane}\r\n0\r\n\r\n");
            let answer = world.program.raw(request.as_bytes());
            assert!(answer.starts_with("HTTP/1.1 400"), "{request} {answer}");
            assert!(answer.contains("Send it in capital letters"), "{answer}");
        }
    }
    assert_eq!(world.upstream.seen().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_to_head_has_no_content_over_http2_either() {
    let world = world().await;
    let client = Client::builder().http2_prior_knowledge().build();
    let client = client.expect("a client");
    for path in ["/v1/models", "/verify", "/v1//models"] {
        for _ in 0..2 {
            let url = format!("{}{path}", world.program.url);
            let answer = client.head(url).send().await.expect("an answer");
            assert!(answer.status().is_client_error(), "{path}");
            let length = answer.headers()["content-length"].to_str().expect("ASCII");
            assert_ne!(length, "0", "{path}");
            assert_eq!(answer.bytes().await.expect("its end").len(), 0, "{path}");
        }
    }
}

/// Clients that learn only after the head that there is no content say so by an empty frame.
#[tokio::test(flavor = "multi_thread")]
async fn a_get_over_http2_that_ends_after_its_head_has_no_content() {
    let world = world().await;
    let client = Client::builder().http2_prior_knowledge().build();
    let client = client.expect("a client");
    for (content, expected) in [(vec![], 200), (vec!["", ""], 200), (vec!["", "a"], 400)] {
        let pieces = content.into_iter().map(Ok::<_, std::io::Error>);
        let body = Body::wrap_stream(futures_util::stream::iter(pieces));
        let get = client.get(format!("{}/v1/models", world.program.url));
        let answer = get.bearer_auth(&world.key).body(body).send().await;
        assert_eq!(answer.expect("an answer").status(), expected);
    }
    assert_eq!(world.upstream.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_malformed_is_the_clients_fault() {
    let world = world().await;
    let rest = "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n";
    let answer = world.raw("POST /v1/files", rest);
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("\"code\":\"invalid_request\""), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_lacks_v1_or_has_it_twice_is_told_so() {
    let world = world().await;
    for (target, expected) in [
        ("/v1/v1/models", "has /v1 twice"),
        ("/v1/v1", "has /v1 twice"),
        ("/v1/%761/models", "has /v1 twice"),
        ("/chat/completions", "begin with /v1"),
        ("/models?limit=1", "begin with /v1"),
        ("/openai/v1/models", "begin with /v1"),
    ] {
        for connection in ["keep-alive", "close"] {
            let headers = [("connection", connection)];
            let answer = world.send(Method::GET, target, &headers).await;
            assert_eq!(answer.status(), 404, "{target}");
            let body: Value = answer.json().await.expect("JSON");
            assert_eq!(body["error"]["code"], "not_found", "{target}");
            let message = body["error"]["message"].as_str().expect("a message");
            assert!(message.contains(expected), "{target}: {message}");
        }
    }
    assert_eq!(world.upstream.seen().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_browser_takes_an_error_of_the_data_plane_for_anything_else() {
    let world = world().await;
    let program = &world.program;
    let key = format!("Authorization: Bearer {}\r\n", world.key);
    for (line, headers) in [
        ("GET /v1/models", ""),
        ("GET /v1//models", &*key),
        ("TRACE /v1/models", &key),
        ("GET /verify", &key),
        ("GET /v1/mo dels", &key),
    ] {
        for lane in ["", "Connection: close\r\n"] {
            let request = format!("{line} HTTP/1.1\r\nHost: x\r\n{headers}{lane}\r\n");
            let mut stream = std::net::TcpStream::connect(program.address()).expect("it listens");
            std::io::Write::write_all(&mut stream, request.as_bytes()).expect("sent");
            let ended = stream.shutdown(std::net::Shutdown::Write);
            ended.expect("it is still there");
            let mut answer = String::new();
            std::io::Read::read_to_string(&mut stream, &mut answer).expect("an answer");
            assert!(answer.starts_with("HTTP/1.1 4"), "{request} {answer}");
            let nosniff = "\r\nx-content-type-options: nosniff\r\n";
            assert_eq!(answer.matches(nosniff).count(), 1, "{request} {answer}");
        }
    }
}
