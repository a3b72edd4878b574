//! Upstreams that speak HTTP/2.

use std::{
    future::pending,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::client::conn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::support::{Account, LANES, Program, Spawn, Upstream, eventually, http2, write};

/// A server whose answers have trailers, and which reads no body that is sent to `/v1/deaf` and waits for none at
/// `/v1/hasty`.
async fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("h2c://{address}")
}

/// What an upstream may not say in its head, either, or there alone.
const FORBIDDEN: [&str; 10] = [
    "set-cookie",
    "x-keygate-stale",
    "x-request-id",
    "access-control-allow-origin",
    "location",
    "content-type",
    "authorization",
    "www-authenticate",
    "cache-control",
    "x-accel-redirect",
];

async fn answer(request: axum::extract::Request) -> Response {
    match request.uri().path() {
        "/v1/deaf" => return pending().await,
        "/v1/hasty" => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        "/v1/guarded" => return ([("grpc-status", "16")], "").into_response(),
        _ => {}
    }
    let received = request.into_body().collect().await.expect("a body");
    let had = received.trailers().is_some();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    for name in FORBIDDEN {
        trailers.insert(
            HeaderName::from_static(name),
            "/x".parse().expect("a value"),
        );
    }
    let text = Bytes::from(format!("had trailers: {had}"));
    let frames = [Frame::data(text), Frame::trailers(trailers)];
    let frames = frames.map(Ok::<_, io::Error>);
    Response::new(Body::new(StreamBody::new(stream::iter(frames))))
}

fn program(urls: &str, more: &str) -> Program {
    Program::start(Spawn {
        config: Some(format!("[[upstream]]\nurl = {urls}\n{more}")),
        ..Spawn::default()
    })
}

async fn key(program: &Program) -> String {
    let account = Account::create(program).await;
    account.key(&["chat", "read", "write"]).await.1
}

type SentBody = BoxBody<Bytes, std::convert::Infallible>;

fn body(frames: Vec<Frame<Bytes>>) -> SentBody {
    BodyExt::boxed(StreamBody::new(stream::iter(frames.into_iter().map(Ok))))
}

fn post(path: &str, key: &str, body: SentBody) -> Request<SentBody> {
    let request = Request::post(path)
        .header("host", "keygate")
        .header("te", "trailers")
        .header("authorization", format!("Bearer {key}"));
    request.body(body).expect("a request")
}

/// What a program answers to this request over HTTP/2 or HTTP/1.1: the body, and the trailers.
async fn send(
    program: &Program,
    version: Version,
    mut request: Request<SentBody>,
) -> (StatusCode, Bytes, Option<HeaderMap>) {
    let stream = TcpStream::connect(program.address())
        .await
        .expect("it listens");
    let stream = TokioIo::new(stream);
    let answer = if version == Version::HTTP_2 {
        let url = format!("{}{}", program.url, request.uri());
        *request.uri_mut() = url.parse().expect("a URL");
        request.headers_mut().remove("host");
        let client = conn::http2::handshake(TokioExecutor::new(), stream).await;
        let (mut sender, connection) = client.expect("a connection");
        tokio::spawn(connection);
        sender.send_request(request).await
    } else {
        let client = conn::http1::handshake(stream).await;
        let (mut sender, connection) = client.expect("a connection");
        tokio::spawn(connection);
        sender.send_request(request).await
    };
    let answer = answer.expect("an answer");
    let status = answer.status();
    let collected = answer.into_body().collect().await.expect("a body");
    let trailers = collected.trailers().cloned();
    (status, collected.to_bytes(), trailers)
}

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_an_answer_passes_to_clients_that_speak_http2_too() {
    let program = program(&format!("\"{}\"", server().await), "");
    let key = key(&program).await;
    for version in VERSIONS {
        let trailers = HeaderMap::from_iter([(
            HeaderName::from_static("x-keygate-key-id"),
            HeaderValue::from_static("forged"),
        )]);
        let frames = vec![
            Frame::data(Bytes::from_static(b"asked")),
            Frame::trailers(trailers),
        ];
        let request = post("/v1/chat/completions", &key, body(frames));
        let (status, text, trailers) = send(&program, version, request).await;
        assert_eq!(
            (status, &*text),
            (StatusCode::OK, &b"had trailers: false"[..])
        );
        let names = trailers.unwrap_or_default();
        let names: Vec<&str> = names.keys().map(HeaderName::as_str).collect();
        let expected: &[&str] = match version {
            Version::HTTP_2 => &["grpc-status"],
            _ => &[],
        };
        assert_eq!(names, expected, "{version:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_over_http2_say_what_requests_over_http1_do() {
    let upstream = Upstream::start().await;
    let program = program(&format!("\"{}\"", upstream.h2c_url()), "");
    let key = key(&program).await;
    for lane in LANES {
        let request = reqwest::Client::new().post(format!("{}/v1/embeddings?x=1", program.url));
        let request = request
            .bearer_auth(&key)
            .header("connection", lane)
            .body("text");
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let seen = upstream.last_seen();
        assert_eq!(seen.version, Version::HTTP_2);
        let target = format!("http://{}/v1/embeddings?x=1", upstream.address);
        assert_eq!(seen.target, target);
        assert_eq!(seen.body_bytes, 4);
        assert_eq!(seen.headers["te"], "trailers");
        assert!(seen.headers.contains_key("x-keygate-key-id"));
        assert!(!seen.headers.contains_key("authorization"));
        assert!(!seen.headers.contains_key("host"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_ends_its_request_at_an_upstream_over_http2() {
    let upstream = Upstream::start().await;
    let program = program(&format!("\"{}\"", upstream.h2c_url()), "");
    let key = key(&program).await;
    let client = reqwest::Client::new();
    let request = client
        .get(format!("{}/v1/stream", program.url))
        .bearer_auth(&key);
    let mut streams = [
        request
            .try_clone()
            .expect("no body")
            .send()
            .await
            .expect("an answer"),
        request.send().await.expect("an answer"),
    ];
    for stream in &mut streams {
        stream.chunk().await.expect("an event").expect("an event");
    }
    let [first, mut second] = streams;
    drop(first);
    eventually("one is over", async || upstream.active() == 1).await;
    second
        .chunk()
        .await
        .expect("the other goes on")
        .expect("an event");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_reads_its_connection_but_no_body_is_not_waited_for() {
    let url = format!("\"{}\"", server().await);
    let program = program(&url, "write_timeout = \"1s\"\nresponse_timeout = \"1h\"\n");
    let key = key(&program).await;
    for version in VERSIONS {
        let long = vec![Frame::data(Bytes::from(vec![7; 16 << 20]))];
        let (status, ..) = send(&program, version, post("/v1/deaf", &key, body(long))).await;
        assert_eq!(status, StatusCode::GATEWAY_TIMEOUT, "{version:?}");
    }
}

/// One is not there; the other one speaks another version.
#[tokio::test(flavor = "multi_thread")]
async fn upstreams_that_speak_different_versions_stand_in_for_each_other() {
    let upstream = Upstream::start().await;
    for (away, there) in [("http", upstream.h2c_url()), ("h2c", upstream.url())] {
        let urls = format!("[\"{away}://127.0.0.1:1\", \"{there}\"]");
        let program = program(&urls, "");
        let key = key(&program).await;
        for _ in 0..2 {
            let request =
                reqwest::Client::new().request(Method::GET, format!("{}/v1/models", program.url));
            let answer = request.bearer_auth(&key).send().await.expect("an answer");
            assert_eq!(answer.status(), 200, "{urls}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_socket_is_opened_over_http2() {
    let upstream = Upstream::start().await;
    let program = program(&format!("\"{}\"", upstream.h2c_url()), "");
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["chat"]).await;
    let request = reqwest::Client::new().get(format!("{}/v1/realtime", program.url));
    let request = request
        .bearer_auth(&key)
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 502);
    let text = answer.text().await.expect("a body");
    assert!(text.contains("does not open a WebSocket"), "{text}");
    assert!(!upstream.last_seen().headers.contains_key("upgrade"));
}

/// The frames that answer a request, by its stream.
type Answer = fn(u32) -> Vec<u8>;

/// An upstream that gives these answers one after the other, whatever their connection.
async fn by_hand(answers: impl IntoIterator<Item = Answer>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let answers: Vec<Answer> = answers.into_iter().collect();
    let answers = Arc::new(Mutex::new(answers.into_iter()));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answers = answers.clone();
            tokio::spawn(serve(stream, move || {
                let mut answers = answers.lock().expect("not poisoned");
                answers.next().expect("no more requests than answers")
            }));
        }
    });
    format!("h2c://{address}")
}

async fn serve(mut stream: TcpStream, next: impl Fn() -> Answer) -> io::Result<()> {
    stream
        .read_exact(&mut vec![0; http2::PREFACE.len()])
        .await?;
    stream.write_all(&http2::empty_settings()).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let [high, middle, low, kind, _, id @ ..] = head;
        let length = u32::from_be_bytes([0, high, middle, low]);
        let payload = &mut vec![0; usize::try_from(length).expect("a short frame")];
        stream.read_exact(payload).await?;
        if kind == http2::HEADERS {
            let answer = next()(u32::from_be_bytes(id));
            stream.write_all(&answer).await?;
        }
    }
}

fn whole(stream: u32) -> Vec<u8> {
    let body = http2::data(stream, http2::END_STREAM, b"whole");
    [http2::answer(stream, "200"), body].concat()
}

fn broken_off(stream: u32) -> Vec<u8> {
    let part = http2::data(stream, 0, b"a part");
    let end = http2::reset_without_error(stream);
    [http2::answer(stream, "200"), part, end].concat()
}

/// As if it ended the connection just before the request came.
fn closed(stream: u32) -> Vec<u8> {
    http2::go_away(stream - 2)
}

/// One that ends its answer in the middle as if nothing were wrong.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_reset_without_an_error_is_not_a_whole_one() {
    let upstream = by_hand([broken_off as Answer; 2]).await;
    let program = program(&format!("\"{upstream}\""), "status_path = \"off\"\n");
    let key = key(&program).await;
    for lane in LANES {
        let request = reqwest::Client::new().get(format!("{}/v1/models", program.url));
        let request = request.bearer_auth(&key).header("connection", lane);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let body = answer.bytes().await;
        assert!(body.is_err(), "{body:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_get_that_a_kept_connection_did_not_take_is_sent_once_more() {
    let answers: [Answer; 5] = [whole, closed, whole, http2::refuse, whole];
    let upstream = by_hand(answers).await;
    let program = program(&format!("\"{upstream}\""), "status_path = \"off\"\n");
    let key = key(&program).await;
    for _ in 0..3 {
        let request = reqwest::Client::new().get(format!("{}/v1/models", program.url));
        let answer = request.bearer_auth(&key).send().await.expect("an answer");
        assert_eq!(answer.text().await.expect("a body"), "whole");
    }
}

/// The client stops in the middle of a body for which the upstream does not wait.
#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_answers_early_keeps_no_connection_open() {
    let program = program(&format!("\"{}\"", server().await), "");
    let key = key(&program).await;
    let request = format!(
        "POST /v1/hasty HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 1000000\r\n\r\nabc"
    );
    let mut stream = TcpStream::connect(program.address())
        .await
        .expect("it listens");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it is sent");
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    read.expect("the connection ends").expect("it is read");
    assert!(answer.starts_with(b"HTTP/1.1 413"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_operators_credential_by_grpcs_status_is_the_operators_fault() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = write(folder.path(), "credential", "sk-own");
    let url = format!("\"{}\"", server().await);
    let program = program(&url, &format!("credential_file = \"{file}\"\n"));
    let key = key(&program).await;
    let request = post("/v1/guarded", &key, body(Vec::new()));
    let (status, text, _) = send(&program, Version::HTTP_11, request).await;
    assert_eq!(status, 502);
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(text.contains("upstream_refused_credential"), "{text}");
}
