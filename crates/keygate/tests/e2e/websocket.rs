//! WebSockets through the gateway, from real clients.

use std::{path::Path, process::Command, time::Duration};

use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Method, Request, StatusCode, header::SEC_WEBSOCKET_PROTOCOL};
use http_body_util::Empty;
use hyper::{body::Bytes, client::conn::http2, ext::Protocol};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message, Utf8Bytes,
        client::IntoClientRequest,
        protocol::{CloseFrame, Role, frame::coding::CloseCode},
    },
};

use crate::support::{Account, Echo, Program, Upstream, eventually, raise_open_files};

struct World {
    echo: Echo,
    program: Program,
    account: Account,
    id: String,
    key: String,
}

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl World {
    async fn with_scopes(scopes: &[&str]) -> Self {
        let echo = Echo::start().await;
        let program = Program::with_upstream(&echo.url);
        let account = Account::create(&program).await;
        let (id, key) = account.key(scopes).await;
        Self {
            echo,
            program,
            account,
            id,
            key,
        }
    }

    fn url(&self, path: &str) -> String {
        format!(
            "ws{}{path}",
            self.program.url.strip_prefix("http").expect("a URL")
        )
    }

    async fn try_open(&self, path: &str) -> Result<Client, Error> {
        let mut request = self.url(path).into_client_request().expect("a URL");
        let bearer = HeaderValue::try_from(format!("Bearer {}", self.key)).expect("plain");
        request.headers_mut().insert("authorization", bearer);
        Ok(connect_async(request).await?.0)
    }

    async fn open(&self, path: &str) -> Client {
        self.try_open(path).await.expect("it opens")
    }
}

/// What a client sends that asks for a socket, and ends the connection where it gets none.
fn handshake(path: &str, key: &str) -> String {
    let authorization = format!("Authorization: Bearer {key}");
    [
        &*format!("GET {path} HTTP/1.1"),
        "Host: x",
        &authorization,
        "Connection: Upgrade, close",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "\r\n",
    ]
    .join("\r\n")
}

async fn echoed(socket: &mut Client, text: &str) {
    socket.send(Message::text(text)).await.expect("sent");
    let answer = socket.next().await.expect("an answer").expect("a message");
    assert_eq!(answer, Message::text(text));
}

/// What a client reads until its socket has ended, and how it did.
async fn rest(socket: &mut Client) -> (Vec<Message>, Option<CloseFrame>) {
    let mut messages = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Close(frame) => return (messages, frame),
            message => messages.push(message),
        }
    }
    (messages, None)
}

fn status(refused: Result<Client, Error>) -> StatusCode {
    match refused {
        Err(Error::Http(response)) => response.status(),
        other => panic!("it was not refused: {other:?}"),
    }
}

#[tokio::test]
async fn messages_pass_both_ways_and_the_key_does_not() {
    let world = World::with_scopes(&["chat"]).await;
    let mut socket = world.open("/v1/realtime?model=tiny").await;
    echoed(&mut socket, "hello").await;
    let long = "x".repeat(200_000);
    echoed(&mut socket, &long).await;
    let binary = Message::binary(vec![0; 70_000]);
    socket.send(binary.clone()).await.expect("sent");
    assert_eq!(socket.next().await.expect("one").expect("one"), binary);
    socket
        .send(Message::Ping(Bytes::from_static(b"?")))
        .await
        .expect("sent");
    let pong = socket.next().await.expect("one").expect("one");
    assert_eq!(pong, Message::Pong(Bytes::from_static(b"?")));
    let asked = world.echo.last_asked();
    assert_eq!(asked["x-keygate-key-id"], *world.id);
    assert!(!asked.contains_key("authorization"));
    socket.close(None).await.expect("closed");
    rest(&mut socket).await;
    eventually("the upstream's socket ends", async || {
        world.echo.open() == 0
    })
    .await;
}

#[tokio::test]
async fn a_page_puts_the_key_among_the_subprotocols() {
    let world = World::with_scopes(&["chat"]).await;
    let offered = format!("realtime, openai-insecure-api-key.{}, beta", world.key);
    let ask = async |offered: &str| {
        let mut request = world
            .url("/v1/realtime")
            .into_client_request()
            .expect("a URL");
        let offered = HeaderValue::try_from(offered).expect("plain");
        request
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, offered);
        connect_async(request).await
    };
    let (mut socket, answer) = ask(&offered).await.expect("it opens");
    assert_eq!(answer.headers()[SEC_WEBSOCKET_PROTOCOL], "realtime");
    echoed(&mut socket, "hello").await;
    let asked = world.echo.last_asked();
    assert_eq!(asked[SEC_WEBSOCKET_PROTOCOL], "realtime, beta");
    let wrong = ask("realtime, openai-insecure-api-key.wrong").await;
    assert_eq!(status(wrong.map(|(socket, _)| socket)), 401);
    let elsewhere = ask(&format!("realtime, {}", world.key)).await;
    assert_eq!(status(elsewhere.map(|(socket, _)| socket)), 401);
    for path in ["/v1/models", "/verify/v1/models"] {
        let plain = world
            .account
            .client
            .get(format!("{}{path}", world.program.url));
        let answer = plain.header(SEC_WEBSOCKET_PROTOCOL, &offered).send().await;
        let status = answer.expect("an answer").status().as_u16();
        assert!(
            matches!(status, 401 | 403),
            "no socket is asked for: {status}"
        );
    }
}

#[tokio::test]
async fn a_key_among_the_subprotocols_goes_with_what_else_is_sent() {
    let world = World::with_scopes(&["chat"]).await;
    let (_, another) = world.account.key(&["chat"]).await;
    let foreign = "sk-somebody-elses";
    let (key, another) = (&*world.key, &*another);
    // What the subprotocols have, what `Authorization` has, and whether the socket opens.
    let cases: [(&[&str], &str, bool); 8] = [
        (&[key], key, true),
        (&[key], foreign, true),
        (&[foreign], key, true),
        (&[key], another, false),
        (&[foreign], foreign, false),
        (&[key, key], foreign, true),
        (&[key, another], foreign, false),
        (&[""], key, true),
    ];
    for (protocols, bearer, opens) in cases {
        let mut request = world
            .url("/v1/realtime")
            .into_client_request()
            .expect("a URL");
        let protocols = protocols.iter();
        let offered = protocols.map(|key| format!(", openai-insecure-api-key.{key}"));
        let offered = format!("realtime{}", offered.collect::<String>());
        let headers = request.headers_mut();
        let bearer = format!("Bearer {bearer}");
        headers.insert(
            SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::try_from(&offered).expect("plain"),
        );
        headers.insert(
            "authorization",
            HeaderValue::try_from(&bearer).expect("plain"),
        );
        let opened = connect_async(request).await.map(|(socket, _)| socket);
        if opens {
            opened.unwrap_or_else(|error| panic!("{offered} with {bearer}: {error}"));
            let asked = world.echo.last_asked();
            assert_eq!(asked[SEC_WEBSOCKET_PROTOCOL], "realtime", "{offered}");
            assert!(!asked.contains_key("authorization"));
        } else {
            assert_eq!(status(opened), 401, "{offered} with {bearer}");
        }
    }
}

#[tokio::test]
async fn a_socket_needs_the_scope_for_what_it_is_to() {
    let world = World::with_scopes(&["read"]).await;
    for path in ["/v1/realtime", "/v1/responses", "/v1/models"] {
        assert_eq!(status(world.try_open(path).await), 403, "{path}");
    }
    let world = World::with_scopes(&["chat"]).await;
    assert!(world.try_open("/v1/responses").await.is_ok());
    assert_eq!(status(world.try_open("/v1/other").await), 403);
    let world = World::with_scopes(&["write"]).await;
    assert!(world.try_open("/v1/other").await.is_ok());
    assert_eq!(status(world.try_open("/v1/realtime").await), 403);
}

#[tokio::test]
async fn nothing_passes_once_a_revocation_is_acknowledged_and_the_client_is_told() {
    let world = World::with_scopes(&["chat", "write"]).await;
    let mut with_events = world.open("/v1/realtime").await;
    let mut plain = world.open("/v1/other").await;
    echoed(&mut with_events, "before").await;
    echoed(&mut plain, "before").await;
    assert_eq!(world.account.delete(&world.id).await.status(), 200);
    for socket in [&mut with_events, &mut plain] {
        let _ = socket.send(Message::text("after")).await;
    }
    let (events, close) = rest(&mut with_events).await;
    let [Message::Text(event)] = &events[..] else {
        panic!("{events:?}");
    };
    let event: Value = serde_json::from_str(event).expect("JSON");
    assert_eq!(event["type"], "error");
    assert_eq!(event["status"], 401);
    assert_eq!(event["error"]["code"], "invalid_api_key");
    assert_eq!(close.expect("a close").code, CloseCode::Policy);
    let (messages, close) = rest(&mut plain).await;
    assert_eq!(messages, []);
    let close = close.expect("a close");
    assert_eq!(
        (close.code, close.reason),
        (CloseCode::Policy, Utf8Bytes::from("invalid_api_key"))
    );
    eventually("the upstream's sockets end", async || {
        world.echo.open() == 0
    })
    .await;
    assert_eq!(world.echo.told(), ["before", "before"]);
}

#[tokio::test]
async fn a_socket_ends_when_its_key_is_switched_off_or_runs_out() {
    let world = World::with_scopes(&["chat"]).await;
    let mut socket = world.open("/v1/realtime").await;
    echoed(&mut socket, "before").await;
    let off = world
        .account
        .patch(&world.id, &json!({"is_active": false}))
        .await;
    assert_eq!(off.status(), 200);
    let (_, close) = rest(&mut socket).await;
    assert_eq!(close.expect("a close").reason, "api_key_revoked");
    assert_eq!(status(world.try_open("/v1/realtime").await), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_speaks_no_websocket_answers_itself() {
    let upstream = Upstream::start().await;
    let program = Program::with_upstream(&upstream.url());
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["chat", "read"]).await;
    let (_, for_chat) = account.key(&["chat"]).await;
    let request = handshake("/v1/realtime", &key);
    let answer = program.raw(request.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert_eq!(upstream.last_seen().headers["upgrade"], "websocket");
    let other = request.replace("Upgrade: websocket", "Upgrade: h2c");
    assert!(program.raw(other.as_bytes()).starts_with("HTTP/1.1 200 OK"));
    assert!(!upstream.last_seen().headers.contains_key("upgrade"));
    let request = request.replace(&key, &for_chat);
    let answer = program.raw(request.as_bytes());
    assert!(
        answer.starts_with("HTTP/1.1 502"),
        "it may not read: {answer}"
    );
    let sample = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for part in ["Upgrade: websocket\r\n", "Upgrade, ", sample] {
        let answer = program.raw(request.replace(part, "").as_bytes());
        assert!(
            answer.starts_with("HTTP/1.1 403"),
            "a GET needs read: {answer}"
        );
    }
}

/// Where a file is may be all that there is to be known of it.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_read_is_not_told_where_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        const ELSEWHERE: &[u8] =
            b"HTTP/1.1 302 Found\r\nLocation: /secret\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(ELSEWHERE).await;
        }
    });
    let program = Program::with_upstream(&url);
    let account = Account::create(&program).await;
    for (scopes, status) in [(&["write"][..], 502), (&["write", "read"], 302)] {
        let (_, key) = account.key(scopes).await;
        let answer = program.raw(handshake("/v1/files/1/content", &key).as_bytes());
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
        assert_eq!(answer.contains("/secret"), status == 302, "{answer}");
    }
}

#[tokio::test]
async fn over_http2_a_socket_is_a_stream() {
    let world = World::with_scopes(&["chat"]).await;
    let stream = TcpStream::connect(world.program.address())
        .await
        .expect("it listens");
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("HTTP/2");
    tokio::spawn(connection);
    // It says that it takes sockets in its first frame.
    let plain = Request::get(format!("{}/healthz", world.program.url));
    let plain = plain.body(Empty::<Bytes>::new()).expect("a request");
    assert_eq!(
        sender
            .send_request(plain)
            .await
            .expect("an answer")
            .status(),
        200
    );
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri(format!("{}/v1/realtime", world.program.url))
        .extension(Protocol::from_static("websocket"))
        .header("authorization", format!("Bearer {}", world.key))
        .header("sec-websocket-version", "13")
        .body(Empty::new())
        .expect("a request");
    let answer = sender.send_request(request).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let stream = TokioIo::new(hyper::upgrade::on(answer).await.expect("a socket"));
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
    socket.send(Message::text("hello")).await.expect("sent");
    let answer = socket.next().await.expect("one").expect("one");
    assert_eq!(answer, Message::text("hello"));
    assert_eq!(world.account.delete(&world.id).await.status(), 200);
    let mut code = None;
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Close(frame) = message {
            code = frame.map(|frame| frame.code);
        }
    }
    assert_eq!(code, Some(CloseCode::Policy));
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_of_clients_that_vanish_and_of_keys_that_are_revoked_leave_nothing() {
    const SOCKETS: usize = 1_000;
    // Of each the client's end and the echo's are here.
    raise_open_files(4 * SOCKETS as u64);
    let world = World::with_scopes(&["chat"]).await;
    echoed(&mut world.open("/v1/realtime").await, "warm").await;
    eventually("the first is gone", async || world.echo.open() == 0).await;
    let before = world.program.open_sockets();
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        let mut socket = world.open("/v1/realtime").await;
        echoed(&mut socket, "hello").await;
        sockets.push(socket);
    }
    sockets.truncate(SOCKETS / 2);
    let half = async || world.echo.open() == SOCKETS / 2;
    eventually("those of clients that vanished are gone", half).await;
    assert_eq!(world.account.delete(&world.id).await.status(), 200);
    for socket in &mut sockets {
        let (_, close) = rest(socket).await;
        assert_eq!(close.expect("a close").code, CloseCode::Policy);
    }
    drop(sockets);
    eventually("all are gone", async || world.echo.open() == 0).await;
    let left = async || world.program.open_sockets() <= before;
    eventually("no descriptor is left", left).await;
}

#[tokio::test]
async fn a_server_that_stops_says_so() {
    let mut world = World::with_scopes(&["chat"]).await;
    let mut socket = world.open("/v1/realtime").await;
    echoed(&mut socket, "hello").await;
    world.program.signal("TERM");
    let (_, close) = rest(&mut socket).await;
    assert_eq!(close.expect("a close").code, CloseCode::Away);
    let ended = tokio::task::spawn_blocking(move || world.program.wait());
    let ended = tokio::time::timeout(Duration::from_secs(20), ended).await;
    assert!(
        ended
            .expect("it does not wait for the socket")
            .expect("waited")
            .success()
    );
}

/// The client of the Python world that most use.
const PYTHON: &str = r#"
import asyncio, sys, websockets

async def main(url, key):
    headers = {"Authorization": f"Bearer {key}"}
    async with websockets.connect(url, additional_headers=headers) as socket:
        await socket.send("hello")
        print(await socket.recv())
    try:
        await websockets.connect(url, additional_headers={"Authorization": "Bearer wrong"})
    except websockets.InvalidStatus as refused:
        print(refused.response.status_code, "invalid_api_key" in refused.response.body.decode())

asyncio.run(main(*sys.argv[1:]))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn pythons_websockets_opens_one_and_reads_why_not() {
    let world = World::with_scopes(&["chat"]).await;
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-tools/venv");
    let output = Command::new(tools.join("bin/python"))
        .args(["-c", PYTHON, &world.url("/v1/realtime"), &world.key])
        .output()
        .expect("Python runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "hello\n401 True\n", "{complaint}");
}
