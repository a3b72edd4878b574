//! How long a connection is kept that nobody uses, and a body is waited for that nobody reads.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::support::{Account, Program, Spawn, Upstream, http2};

/// What makes a connection one of the HTTP library's that stays open.
const LIBRARY: &str = "Connection: keep-alive, x\r\n";
const KEEP_ALIVE: Duration = Duration::from_millis(1_500);
/// More than anything here takes, on a machine that has much else to do.
const LONG: Duration = Duration::from_secs(8);

fn connect(program: &Program) -> TcpStream {
    let stream = TcpStream::connect(program.address()).expect("it listens");
    let limit = Some(Duration::from_secs(20));
    stream.set_read_timeout(limit).expect("set");
    stream
}

async fn program(upstream: &Upstream) -> (Program, String) {
    let url = upstream.url();
    let program = Program::start(Spawn {
        config: Some(format!(
            "[server]\nkeep_alive = \"1500ms\"\ntrusted_proxies = [\"127.0.0.1\"]\n[[upstream]]\nurl = \"{url}\"\n"
        )),
        ..Spawn::default()
    });
    let (_, key) = Account::create(&program).await.key(&["read"]).await;
    (program, key)
}

/// Reads until this has come.
fn read_until(stream: &mut TcpStream, end: &str) {
    let (mut answer, mut piece) = (String::new(), [0; 4_096]);
    while !answer.contains(end) {
        let read = stream.read(&mut piece).expect("it answers");
        assert!(read > 0, "{end:?} is missing: {answer}");
        answer += &String::from_utf8_lossy(&piece[..read]);
    }
}

/// How long it takes until the connection is closed.
fn until_closed(stream: &mut TcpStream) -> Duration {
    let began = Instant::now();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("it is closed");
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_that_is_not_used_is_kept_for_its_time_whatever_serves_it() {
    let upstream = Upstream::start().await;
    let (program, key) = program(&upstream).await;
    for lane in ["", LIBRARY] {
        let request = format!(
            "GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{lane}\r\n"
        );
        let mut stream = connect(&program);
        let mut since = Instant::now();
        for _ in 0..3 {
            stream.write_all(request.as_bytes()).expect("it is open");
            read_until(&mut stream, "{\"ok\":true}");
            since = Instant::now();
        }
        until_closed(&mut stream);
        let kept = since.elapsed();
        assert!((KEEP_ALIVE..LONG).contains(&kept), "{lane} {kept:?}");
    }
    let mut stream = connect(&program);
    let since = Instant::now();
    let beginning = http2::beginning(1 << 16);
    stream.write_all(&beginning).expect("it is open");
    until_closed(&mut stream);
    let kept = since.elapsed();
    assert!((KEEP_ALIVE..LONG).contains(&kept), "HTTP/2 {kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn body_that_stays_with_the_proxy_is_not_waited_for() {
    let upstream = Upstream::start().await;
    let (program, key) = program(&upstream).await;
    for lane in ["", LIBRARY] {
        for (framing, sent) in [
            ("Content-Length: 77\r\n", ""),
            ("Content-Length: 77\r\n", "{"),
            ("Content-Length: 7777777\r\n", "{"),
            ("Transfer-Encoding: chunked\r\n", ""),
            ("Transfer-Encoding: chunked\r\n", "5\r\n{"),
        ] {
            let mut stream = connect(&program);
            let question = format!(
                "GET /verify HTTP/1.1\r\nHost: x\r\nX-Original-Method: GET\r\nX-Original-URI: /v1/models\r\n\
                 Authorization: Bearer {key}\r\n{lane}{framing}\r\n{sent}"
            );
            stream.write_all(question.as_bytes()).expect("sent");
            let asked = Instant::now();
            let mut answer = [0; 15];
            stream.read_exact(&mut answer).expect("an answer");
            assert_eq!(&answer, b"HTTP/1.1 200 OK", "{question}");
            // Those that wait for a body do so for much longer than these together.
            until_closed(&mut stream);
            let took = asked.elapsed();
            assert!(took < Duration::from_secs(3), "{took:?} {question}");
        }
    }
}
