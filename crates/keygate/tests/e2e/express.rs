//! What upstreams and clients do on connections, byte by byte.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Sender, channel},
    time::Duration,
};

use crate::support::{Account, Program, World, eventually};

/// keygate before an upstream that reads so many bytes of each request, says this, and hangs up.
async fn before(reads: usize, says: &'static [u8]) -> (Program, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = vec![0; reads];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(says);
        }
    });
    let program = Program::with_upstream(&format!("http://{address}"));
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["read", "chat"]).await;
    (program, key)
}

/// The same before one that says this of each answer, and the rest once it is told to.
async fn before_halting(says: String, rest: String) -> (Program, String, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (go_on, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; WHOLE]);
            let _ = stream.write_all(says.as_bytes());
            if told.recv().is_ok() {
                let _ = stream.write_all(rest.as_bytes());
            }
        }
    });
    let program = Program::with_upstream(&format!("http://{address}"));
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["read", "chat"]).await;
    (program, key, go_on)
}

async fn get(program: &Program, key: &str) -> reqwest::Result<String> {
    let url = format!("{}/v1/models", program.url);
    let request = reqwest::Client::new().get(url).bearer_auth(key);
    request.send().await?.text().await
}

const WHOLE: usize = 4_096;

/// What is sent ahead is more than is kept of it while an answer is awaited.
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_sent_ahead_are_answered_in_their_order() {
    const AHEAD: usize = 1_000;
    let world = World::with_scopes(&["read"]).await;
    let targets: Vec<String> = (0..AHEAD).map(|n| format!("/v1/models/{n}")).collect();
    let request = |target: &String| {
        let last = if *target == targets[AHEAD - 1] {
            "close"
        } else {
            "keep-alive"
        };
        let key = &world.key;
        format!(
            "GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: {last}\r\n\r\n"
        )
    };
    let requests: String = targets.iter().map(request).collect();
    assert!(requests.len() > 100_000);
    let answers = world.program.raw(requests.as_bytes());
    assert_eq!(answers.matches("HTTP/1.1 200").count(), AHEAD);
    let seen = world.upstream.seen().into_iter();
    assert!(seen.map(|seen| seen.target).eq(targets));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_ends_with_its_connection_comes_whole() {
    let (program, key) = before(WHOLE, b"HTTP/1.1 200 OK\r\n\r\nall of it").await;
    assert_eq!(get(&program, &key).await.expect("an answer"), "all of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_does_not_look_whole() {
    // Who hangs up with something unread resets the connection.
    let (program, key) = before(10, b"HTTP/1.1 200 OK\r\n\r\nhalf of").await;
    get(&program, &key).await.expect_err("it was reset");
    let (program, key) = before(WHOLE, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await;
    get(&program, &key).await.expect_err("it is too short");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_is_a_502() {
    for says in [
        b"" as &[u8],
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let (program, key) = before(WHOLE, says).await;
        let text = get(&program, &key).await.expect("an answer");
        assert!(text.contains("upstream_unreachable"), "{says:?} {text}");
    }
}

/// What is answered to a GET with these headers, up to `end`.
fn answer_to_get(program: &Program, key: &str, headers: &str, end: &str) -> String {
    let address = program.url.replace("http://", "");
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!(
        "GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{headers}\r\n"
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let (mut answer, mut piece) = (String::new(), [0; 4_096]);
    while !answer.contains(end) {
        let read = stream.read(&mut piece).expect("it answers");
        assert!(read > 0, "{end:?} is missing: {answer}");
        answer += &String::from_utf8_lossy(&piece[..read]);
    }
    answer
}

/// What makes a request one for the HTTP library, and not for the express lane.
const LIBRARY: &str = "Connection: close\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn both_lanes_read_an_answer_alike() {
    for (says, expected) in [
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" as &[u8], "502"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "502"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "502"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "502"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", "502"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "200"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000000002 \r\nok\r\n0\r\n\r\n", "200"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=\0\x01\r\nok\r\n0\r\n\r\n", "200"),
    ] {
        let (program, key) = before(WHOLE, says).await;
        for lane in ["", LIBRARY] {
            let status = answer_to_get(&program, &key, lane, "\r\n");
            let what = String::from_utf8_lossy(says);
            assert!(status.starts_with(&format!("HTTP/1.1 {expected}")), "{lane}{what}: {status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_with_the_first_chunk_there_is_an_answer() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for chunk in ["zz\r\n", "5 6\r\nhello\r\n", "2;a\nb\r\nok\r\n"] {
        // It can be said as long as no head was passed on.
        for (says, rest, expected) in [
            (format!("{HEAD}{chunk}"), "", "502"),
            (HEAD.to_owned(), chunk, "200"),
        ] {
            let (program, key, go_on) = before_halting(says, rest.to_owned()).await;
            for (method, length) in [("GET", ""), ("POST", "Content-Length: 2\r\n")] {
                for lane in ["", LIBRARY] {
                    let body = if method == "POST" { "{}" } else { "" };
                    let request = format!(
                        "{method} /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\
                         Authorization: Bearer {key}\r\n{length}{lane}\r\n{body}"
                    );
                    let mut stream = TcpStream::connect(program.address()).expect("it listens");
                    stream.write_all(request.as_bytes()).expect("sent");
                    let mut status = [0; 12];
                    let place = format!("{chunk:?} {request}");
                    stream.read_exact(&mut status).expect(&place);
                    let status = String::from_utf8_lossy(&status);
                    assert_eq!(status, format!("HTTP/1.1 {expected}"), "{place}");
                    go_on.send(()).expect("it listens");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_trailers_nor_keygates_own_headers_come_from_an_upstream() {
    let says = b"HTTP/1.1 200 OK\r\nX-Keygate-Stale: 7\r\nTrailer: Set-Cookie\r\n\
        Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nSet-Cookie: keygate_session=x\r\n\r\n";
    let (program, key) = before(WHOLE, says).await;
    for lane in ["", LIBRARY] {
        let headers = format!("TE: trailers\r\n{lane}");
        let answer = answer_to_get(&program, &key, &headers, "ok\r\n0\r\n\r\n").to_lowercase();
        assert!(!answer.contains("keygate_session"), "{answer}");
        assert!(!answer.contains("x-keygate-stale"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn get_with_content_is_refused_and_nothing_of_it_reaches_the_upstream() {
    let world = World::with_scopes(&["read", "chat"]).await;
    let smuggled = "GET /v1/smuggled HTTP/1.1\r\nHost: x\r\nX-Keygate-Scopes: admin\r\n\r\n";
    let length = format!("Content-Length: {}\r\n", smuggled.len());
    let chunked = format!("{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len());
    for method in ["GET", "HEAD"] {
        for (framing, body) in [
            (&*length, smuggled),
            ("Transfer-Encoding: chunked\r\n", &*chunked),
        ] {
            for lane in ["", LIBRARY] {
                let key = &world.key;
                let request = format!(
                    "{method} /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{framing}{lane}\r\n{body}"
                );
                let answer = world.program.raw(request.as_bytes());
                assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
                assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
            }
        }
    }
    assert!(world.upstream.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn interim_answers_are_left_out() {
    let says = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let (program, key) = before(WHOLE, says).await;
    assert_eq!(get(&program, &key).await.expect("an answer"), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_one_piece_are_answered_in_order_whatever_serves_them() {
    let world = World::with_scopes(&["read", "chat"]).await;
    let request = |line: &str, more: &str| {
        let key = &world.key;
        format!("{line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{more}\r\n")
    };
    let chunked = "Transfer-Encoding: chunked\r\n";
    let requests = [
        request("GET /v1/a", ""),
        request("POST /v1/chat/completions?b", "Content-Length: 5\r\n") + "hello",
        request("POST /v1/files", ""),
        request("POST /v1/chat/completions?c", chunked) + "2\r\nhi\r\n0\r\n\r\n",
        request("GET /healthz", ""),
        request("GET /v1/d", "Connection: close\r\n"),
        request("GET /v1/never", ""),
    ];
    let answer = world.program.raw(requests.concat().as_bytes());
    let statuses: Vec<&str> = answer
        .match_indices("HTTP/1.1 ")
        .map(|(place, start)| &answer[place + start.len()..][..3])
        .collect();
    assert_eq!(
        statuses,
        ["200", "200", "403", "200", "200", "200"],
        "{answer}"
    );
    let seen = world.upstream.seen();
    let targets: Vec<_> = seen
        .iter()
        .map(|seen| (&*seen.target, seen.body_bytes))
        .collect();
    let expected = [
        ("/v1/a", 0),
        ("/v1/chat/completions?b", 5),
        ("/v1/chat/completions?c", 2),
        ("/v1/d", 0),
    ];
    assert_eq!(targets, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_on_talking_and_then_goes_is_noticed() {
    let world = World::with_scopes(&["read"]).await;
    let address = world.program.url.replace("http://", "");
    let mut stream = TcpStream::connect(address).expect("it listens");
    let key = &world.key;
    let request =
        format!("GET /v1/slow HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    eventually("it is under way", async || world.upstream.active() == 1).await;
    stream
        .set_write_timeout(Some(Duration::from_secs(5)))
        .expect("set");
    // It may hang up before it has taken all of it.
    let _ = stream.write_all(&vec![b'x'; 1 << 20]);
    drop(stream);
    eventually("it is given up", async || world.upstream.active() == 0).await;
}
