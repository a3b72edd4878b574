//! How long what clients ask of upstreams goes on: no longer than somebody wants it.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Body, Client};

use crate::support::{Account, Metrics, Program, Spawn, Upstream, World, eventually};

/// What makes a request one for the HTTP library, and not for the express lane.
const LIBRARY: &str = "Connection: close\r\n";
/// More than fits between a client and an upstream that reads nothing.
const LONG: usize = 64 << 20;

/// An upstream that takes connections and reads nothing of what comes over them.
struct Deaf {
    url: String,
    taken: Arc<AtomicUsize>,
}

impl Deaf {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let taken = Arc::<AtomicUsize>::default();
        let count = taken.clone();
        let taking = move || {
            let counted = listener.incoming().inspect(|_| {
                count.fetch_add(1, Ordering::SeqCst);
            });
            counted.collect::<Vec<_>>()
        };
        std::thread::spawn(taking);
        Self { url, taken }
    }

    async fn has_taken(&self, connections: usize) {
        eventually("they are under way", async || {
            self.taken.load(Ordering::SeqCst) >= connections
        })
        .await;
    }
}

fn connect(program: &Program) -> TcpStream {
    let address = program.url.strip_prefix("http://").expect("plain http");
    let stream = TcpStream::connect(address).expect("it listens");
    let limit = Some(Duration::from_secs(10));
    stream.set_read_timeout(limit).expect("set");
    stream
}

fn head(line: &str, key: &str, headers: &str) -> String {
    format!("{line}\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{headers}\r\n")
}

/// Sends an upload until nothing more of it is taken.
fn upload_until_stuck(program: &Program, key: &str) -> TcpStream {
    let mut stream = connect(program);
    let length = format!("Content-Length: {LONG}\r\n");
    let head = head("POST /v1/files HTTP/1.1", key, &length);
    stream.write_all(head.as_bytes()).expect("sent");
    let stuck = Some(Duration::from_millis(300));
    stream.set_write_timeout(stuck).expect("set");
    while stream.write(&[b'x'; 1 << 13]).is_ok() {}
    stream
}

async fn writer(program: &Program) -> String {
    let account = Account::create(program).await;
    let (_, key) = account.key(&["chat", "read", "write"]).await;
    key
}

async fn sockets_come_down_to(program: &Program, before: usize) {
    let since = Instant::now();
    eventually("both connections of each have ended", async || {
        program.open_sockets() <= before
    })
    .await;
    let took = since.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_the_upstream_does_not_read_end_with_their_clients() {
    let deaf = Deaf::start();
    let mut program = Program::with_upstream(&deaf.url);
    let before = program.open_sockets();
    let key = writer(&program).await;
    let stuck: Vec<_> = (0..4).map(|_| upload_until_stuck(&program, &key)).collect();
    deaf.has_taken(4).await;
    drop(stuck);
    sockets_come_down_to(&program, before).await;
    let client = Client::builder().http2_prior_knowledge().build();
    let client = client.expect("a client");
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let call = client.post(format!("{}/v1/files", program.url));
            let call = call.bearer_auth(&key).body(Body::from(vec![0; LONG]));
            tokio::spawn(call.send())
        })
        .collect();
    deaf.has_taken(8).await;
    for call in calls {
        call.abort();
    }
    drop(client);
    sockets_come_down_to(&program, before).await;
    let asked = Instant::now();
    assert!(program.terminate().success());
    assert!(asked.elapsed() < Duration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_of_which_the_upstream_takes_nothing_for_too_long_is_a_504_and_ends() {
    let config = format!(
        "[[upstream]]\nurl = \"{}\"\nwrite_timeout = \"500ms\"\n",
        Deaf::start().url
    );
    let program = Program::start(Spawn {
        config: Some(config),
        ..Spawn::default()
    });
    let before = program.open_sockets();
    let key = writer(&program).await;
    let mut stuck = upload_until_stuck(&program, &key);
    let mut answer = String::new();
    // It may close before it has read everything.
    let _ = stuck.read_to_string(&mut answer);
    assert!(answer.contains("HTTP/1.1 504 "), "{answer}");
    assert!(answer.contains("upstream_timeout"), "{answer}");
    sockets_come_down_to(&program, before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stalls_is_the_clients_fault() {
    let upstream = Upstream::start().await;
    let config = format!(
        "[[upstream]]\nurl = \"{}\"\nresponse_timeout = \"400ms\"\n",
        upstream.url()
    );
    let program = Program::start(Spawn {
        config: Some(config),
        ..Spawn::default()
    });
    let key = writer(&program).await;
    for (headers, beginning) in [
        ("Content-Length: 10\r\n", "half"),
        ("Content-Length: 100000\r\n", "half"),
        ("Transfer-Encoding: chunked\r\n", "4\r\nhalf\r\n"),
    ] {
        let request = head("POST /v1/files HTTP/1.1", &key, headers) + beginning;
        let mut stream = connect(&program);
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        assert!(answer.starts_with("HTTP/1.1 408 "), "{read:?} {answer}");
        assert!(answer.contains("\"code\":\"request_timeout\""), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_for_clients_that_left_before() {
    let upstream = Upstream::start().await;
    let program = Program::start(Spawn {
        upstream: Some(upstream.url()),
        metrics: Metrics::Anywhere,
        log: Some("debug".to_owned()),
        ..Spawn::default()
    });
    let key = writer(&program).await;
    let metrics = program.metrics_url().to_owned();
    // All that follows has come when the program reads the first of it.
    program.signal("STOP");
    for lane in ["", LIBRARY] {
        for body in ["", "hello"] {
            let length = format!("Content-Length: {}\r\n{lane}", body.len());
            let request = head("POST /v1/left HTTP/1.1", &key, &length) + body;
            connect(&program)
                .write_all(request.as_bytes())
                .expect("sent");
        }
    }
    program.signal("CONT");
    eventually("they are counted", async || {
        let shown = Client::new().get(&metrics).send().await;
        let shown = shown.expect("it answers").text().await.expect("text");
        shown.contains("requests_total{plane=\"gateway\",route=\"/v1\",status=\"499\"} 4\n")
    })
    .await;
    assert_eq!(upstream.seen().len(), 0);
    assert_eq!(program.log().matches("\"status\":499").count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_ends_what_it_sends_is_answered_all_the_same() {
    let world = World::with_scopes(&["read", "chat", "write"]).await;
    for version in ["HTTP/1.1", "HTTP/1.0"] {
        for lane in ["", LIBRARY] {
            for (line, length, body) in [
                ("GET /v1/slow", "", ""),
                ("POST /v1/slow", "Content-Length: 5\r\n", "hello"),
                (
                    "POST /v1/slow",
                    "Transfer-Encoding: chunked\r\n",
                    "2\r\n{}\r\n0\r\n\r\n",
                ),
            ] {
                if version == "HTTP/1.0" && length.starts_with("Transfer") {
                    continue;
                }
                let length = format!("{length}{lane}");
                let request = head(&format!("{line} {version}"), &world.key, &length) + body;
                let mut stream = connect(&world.program);
                stream.write_all(request.as_bytes()).expect("sent");
                stream.shutdown(Shutdown::Write).expect("ended");
                eventually(&request, async || world.upstream.active() == 1).await;
                eventually("it is over", async || {
                    world.upstream.release();
                    world.upstream.active() == 0
                })
                .await;
                let mut answer = String::new();
                stream.read_to_string(&mut answer).expect("all of it");
                let expected = format!("{version} 200 OK\r\n");
                assert!(answer.starts_with(&expected), "{request} {answer}");
            }
        }
    }
}

/// An upstream that answers the first request on each connection, and closes it as the second comes.
fn forgetful() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, count) = (stream.expect("a connection"), count.clone());
            std::thread::spawn(move || {
                let mut request = [0; 4_096];
                for is_first in [true, false] {
                    if stream.read(&mut request).is_ok_and(|read| read > 0) {
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                    if is_first {
                        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                        let _ = stream.write_all(answer);
                    }
                }
            });
        }
    });
    (url, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_get_is_asked_again_where_a_kept_connection_was_closed() {
    for lane in ["", LIBRARY] {
        for (method, status, asked) in [("GET", "200", 3), ("POST", "502", 2)] {
            let (url, seen) = forgetful();
            let program = Program::with_upstream(&url);
            let key = writer(&program).await;
            for expected in ["200", status] {
                let line = format!("{method} /v1/files HTTP/1.1");
                let length = if method == "POST" {
                    "Content-Length: 0\r\n"
                } else {
                    ""
                };
                let request = head(&line, &key, &format!("{length}{lane}"));
                let mut stream = connect(&program);
                stream.write_all(request.as_bytes()).expect("sent");
                let mut answer = [0; 12];
                stream.read_exact(&mut answer).expect("a status");
                let answer = String::from_utf8_lossy(&answer);
                assert_eq!(answer, format!("HTTP/1.1 {expected}"), "{method} {lane}");
            }
            assert_eq!(seen.load(Ordering::SeqCst), asked, "{method} {lane}");
        }
    }
}

/// An upstream that notes the heads that reach it, and answers with this.
fn noting(answer: impl Fn(&str) -> String + Send + 'static) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (noted, own) = (seen.clone(), url.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = [0; 4_096];
            let read = stream.read(&mut request).unwrap_or(0);
            let head = String::from_utf8_lossy(&request[..read]).to_lowercase();
            noted.lock().expect("not poisoned").push(head);
            let _ = stream.write_all(answer(&own).as_bytes());
        }
    });
    (url, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_sends_clients_to_itself_sends_them_to_keygate() {
    let (url, _) = noting(|own| {
        format!(
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: {own}/v1/there?x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    });
    let program = Program::with_upstream(&url);
    let key = writer(&program).await;
    for lane in ["", LIBRARY] {
        let mut stream = connect(&program);
        let request = head("GET /v1/here HTTP/1.1", &key, lane);
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = [0; 1_024];
        let read = stream.read(&mut answer).expect("an answer");
        let answer = String::from_utf8_lossy(&answer[..read]).to_lowercase();
        assert!(answer.contains("\r\nlocation: /v1/there?x\r\n"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_go_no_further_than_they_may_and_say_how_they_came() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (url, seen) = noting(|_| answer.to_owned());
    let program = Program::with_upstream(&url);
    let key = writer(&program).await;
    let ask = |line: &str, headers: &str| {
        let headers = format!("{headers}{LIBRARY}");
        program.raw(head(line, &key, &headers).as_bytes())
    };
    let last = ask("OPTIONS /v1/files HTTP/1.1", "Max-Forwards: 0\r\n");
    assert!(last.starts_with("HTTP/1.1 204 "), "{last}");
    assert!(last.contains("allow: GET,HEAD,"), "{last}");
    assert!(seen.lock().expect("not poisoned").is_empty());
    for (line, headers, expected) in [
        (
            "OPTIONS /v1/files HTTP/1.1",
            "Max-Forwards: 5\r\n",
            "max-forwards: 4\r\n",
        ),
        (
            "GET /v1/files HTTP/1.1",
            "Max-Forwards: 0\r\n",
            "max-forwards: 0\r\n",
        ),
        (
            "GET /v1/files HTTP/1.1",
            "Via: 1.1 b\r\n",
            "via: 1.1 b, 1.1 keygate\r\n",
        ),
        ("GET /v1/files HTTP/1.0", "", "via: 1.0 keygate\r\n"),
    ] {
        ask(line, headers);
        let head = seen
            .lock()
            .expect("not poisoned")
            .pop()
            .expect("it was asked");
        assert!(head.contains(expected), "{line} {head}");
    }
}
