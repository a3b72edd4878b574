//! Upstreams that are not there, hang, or break off.

use std::time::{Duration, Instant};

use reqwest::{Body, Client, Response};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::{Account, Program, Spawn, Upstream};

async fn program(url: &str) -> (Program, String) {
    let config = format!(
        "[[upstream]]\nurl = \"{url}\"\nconnect_timeout = \"300ms\"\nresponse_timeout = \"300ms\"\n"
    );
    let program = Program::start(Spawn {
        config: Some(config),
        ..Spawn::default()
    });
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["chat", "read", "write"]).await;
    (program, key)
}

async fn post(program: &Program, key: &str, path: &str, body: Body) -> Response {
    let request = Client::new().post(format!("{}{path}", program.url));
    let answer = request.bearer_auth(key).body(body).send().await;
    answer.expect("it answers")
}

async fn code(answer: Response) -> String {
    let status = answer.status().as_u16();
    let body = answer.text().await.expect("a body");
    let json: Value = serde_json::from_str(&body).expect("JSON");
    let code = json["error"]["code"].as_str().expect("a code").to_owned();
    // The words are the same whatever led to the code, but for whether anything was sent.
    let sent = if body.contains("Nothing was sent") {
        "_unsent"
    } else {
        ""
    };
    insta::assert_snapshot!(format!("{code}{sent}"), body);
    format!("{status} {code}")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_not_there_is_a_502() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", free.local_addr().expect("an address"));
    drop(free);
    let (program, key) = program(&url).await;
    let answer = post(&program, &key, "/v1/files", "x".into()).await;
    assert_eq!(code(answer).await, "502 upstream_unreachable");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_cannot_be_connected_to_is_a_502_in_time() {
    // A listener whose queue is full takes no more connections, and does not refuse them either.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("bound");
    let full = socket.listen(1).expect("listening");
    let address = full.local_addr().expect("an address");
    let mut queued = Vec::new();
    for _ in 0..8 {
        let connecting = tokio::net::TcpStream::connect(address);
        queued.push(tokio::time::timeout(Duration::from_millis(100), connecting).await);
    }
    let (program, key) = program(&format!("http://{address}")).await;
    let answer = post(&program, &key, "/v1/files", "x".into()).await;
    assert_eq!(code(answer).await, "502 upstream_unreachable");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_hangs_is_a_504() {
    let upstream = Upstream::start().await;
    let (program, key) = program(&upstream.url()).await;
    let answer = post(&program, &key, "/v1/slow", "x".into()).await;
    assert_eq!(code(answer).await, "504 upstream_timeout");
    assert_eq!(upstream.seen().len(), 1);
}

/// As some clients of HTTP/2 send a request without a body: its length, and an empty piece.
#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_hangs_on_an_empty_body_is_a_504() {
    let upstream = Upstream::start().await;
    let (program, key) = program(&upstream.url()).await;
    let nothing = futures_util::stream::empty::<std::io::Result<&str>>();
    let client = Client::builder().http2_prior_knowledge().build();
    let request = client
        .expect("a client")
        .post(format!("{}/v1/slow", program.url))
        .bearer_auth(&key)
        .header("content-length", "0")
        .body(Body::wrap_stream(nothing));
    let answer = request.send().await.expect("it answers");
    assert_eq!(code(answer).await, "504 upstream_timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_upstream_may_have_acted_on_is_not_to_be_sent_again() {
    let upstream = Upstream::start().await;
    let (program, key) = program(&upstream.url()).await;
    let pieces = || futures_util::stream::iter([Ok::<_, std::io::Error>("x")]);
    for body in ["x".into(), Body::wrap_stream(pieces())] {
        let answer = post(&program, &key, "/v1/slow", body).await;
        assert_eq!(answer.status(), 504);
        assert_eq!(answer.headers()["x-should-retry"], "false");
    }
    for connection in ["keep-alive", "close"] {
        let request = Client::new().get(format!("{}/v1/slow", program.url));
        let request = request.bearer_auth(&key).header("connection", connection);
        let answer = request.send().await.expect("it answers");
        assert_eq!(answer.status(), 504);
        assert!(!answer.headers().contains_key("x-should-retry"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_may_take_longer_than_the_timeout_while_it_moves() {
    let upstream = Upstream::start().await;
    let (program, key) = program(&upstream.url()).await;
    let began = Instant::now();
    let ticks = tokio::time::interval(Duration::from_millis(50));
    let pieces = futures_util::stream::unfold((ticks, 0), |(mut ticks, count)| async move {
        ticks.tick().await;
        (count < 16).then_some((Ok::<_, std::io::Error>("piece"), (ticks, count + 1)))
    });
    let body = Body::wrap_stream(pieces);
    let answer = post(&program, &key, "/v1/files", body).await;
    assert_eq!(answer.status(), 200);
    assert!(began.elapsed() > Duration::from_millis(600));
    assert_eq!(upstream.last_seen().body_bytes, 80);
}

/// An upstream that reads a request and then closes, by the number of connections it had.
async fn breaking_off(reused: bool) -> (String, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let requests = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = requests.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("accepted");
            let count = count.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let mut answers = usize::from(reused);
                while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    if answers == 0 {
                        break;
                    }
                    answers -= 1;
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                    stream.write_all(answer).await.expect("sent");
                }
            });
        }
    });
    (url, requests)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_may_have_been_sent_is_never_sent_again() {
    for reused in [false, true] {
        let (url, requests) = breaking_off(reused).await;
        let (program, key) = program(&url).await;
        if reused {
            let first = post(&program, &key, "/v1/files", "x".into()).await;
            assert_eq!(first.status(), 200);
        }
        let answer = post(&program, &key, "/v1/files", "x".into()).await;
        assert_eq!(code(answer).await, "502 upstream_unreachable");
        let requests = requests.load(std::sync::atomic::Ordering::SeqCst);
        assert_eq!(requests, 1 + usize::from(reused));
    }
}

/// An upstream that says this at once, and then this again and again.
async fn dripping(first: &'static [u8], again: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("accepted");
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let mut ticks = tokio::time::interval(Duration::from_millis(50));
                let mut sent = stream.write_all(first).await;
                while sent.is_ok() {
                    ticks.tick().await;
                    sent = stream.write_all(again).await;
                }
            });
        }
    });
    url
}

/// Bodies for the express lane, and, in chunks, for the HTTP library.
fn bodies() -> [Body; 2] {
    let pieces = futures_util::stream::iter([Ok::<_, std::io::Error>("x")]);
    ["x".into(), Body::wrap_stream(pieces)]
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_drip_and_interim_answers_give_an_upstream_no_more_time() {
    for (first, again) in [
        (b"HTTP/1.1 200 OK\r\nX: " as &[u8], b"y" as &[u8]),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"\r\n"),
    ] {
        let (program, key) = program(&dripping(first, again).await).await;
        for body in bodies() {
            let began = Instant::now();
            let answer = post(&program, &key, "/v1/files", body).await;
            assert_eq!(code(answer).await, "504 upstream_timeout");
            let took = began.elapsed();
            assert!(took < Duration::from_secs(5), "{took:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_has_begun_may_take_longer_than_the_timeout() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n";
    let (program, key) = program(&dripping(head, b"x").await).await;
    for body in bodies() {
        let began = Instant::now();
        let answer = post(&program, &key, "/v1/files", body).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.text().await.expect("all of it"), "x".repeat(12));
        assert!(began.elapsed() > Duration::from_millis(400));
    }
}
