//! More connections and streams than there is room for.

use std::{
    io::Write,
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use reqwest::{Body, Client, Response};

use crate::support::{Account, Program, Spawn, Upstream};

/// So many files may be open that a few dozen clients are all there is room for.
const OPEN_FILES: u32 = 256;
const CLIENTS: usize = 300;

async fn crowded() -> (Upstream, Program, String) {
    let upstream = Upstream::start().await;
    let program = Program::start(Spawn {
        upstream: Some(upstream.url()),
        open_files: Some(OPEN_FILES),
        ..Spawn::default()
    });
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["read"]).await;
    (upstream, program, key)
}

/// It says that it is alive, and the operator's commands work.
async fn is_well(program: &Program) {
    let began = Instant::now();
    let answer = Client::new().get(format!("{}/healthz", program.url)).send();
    assert_eq!(answer.await.expect("it answers").status(), 200);
    let took = began.elapsed();
    // Without a release build, and beside other tests.
    assert!(took < Duration::from_secs(1), "{took:?}");
    let listed = program.cli(&["account", "list"], "");
    assert!(listed.status.success(), "{listed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_say_nothing_make_room_for_others() {
    let (_upstream, program, key) = crowded().await;
    let address = program.url.strip_prefix("http://").expect("plain http");
    let mut silent = Vec::new();
    for number in 0..CLIENTS {
        let mut stream = TcpStream::connect(address).expect("it listens");
        // It may have had to make room already.
        let _ = stream.write_all(&b"PRI * HTTP/2.0\r\n"[..number % 16]);
        silent.push(stream);
    }
    is_well(&program).await;
    let call = Client::new().get(format!("{}/v1/models", program.url));
    let answer = call.bearer_auth(&key).send().await.expect("it answers");
    assert_eq!(answer.status(), 200);
    assert!(program.open_descriptors() <= OPEN_FILES as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_all_connections_to_upstreams_in_use_the_rest_works() {
    let (_upstream, program, key) = crowded().await;
    let mut streams: Vec<Response> = Vec::new();
    let mut refused = 0;
    for _ in 0..CLIENTS / 2 {
        let call = Client::new().get(format!("{}/v1/stream", program.url));
        let answer = call.bearer_auth(&key).send().await.expect("it answers");
        match answer.status().as_u16() {
            200 => streams.push(answer),
            503 => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert!(refused > 0 && streams.len() > 60, "{}", streams.len());
    is_well(&program).await;
    for stream in &mut streams {
        let event = stream.chunk().await.expect("it goes on");
        assert!(event.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_stuck_leave_room_for_others_on_their_connection() {
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = deaf.local_addr().expect("an address");
    let held = std::thread::spawn(move || deaf.incoming().take(8).collect::<Vec<_>>());
    let upstream = Upstream::start().await;
    let config = format!(
        "[[upstream]]\nurl = \"{}\"\n\n[[upstream]]\npath = \"/v1/audio\"\nurl = \"http://{address}\"\n",
        upstream.url()
    );
    let program = Program::start(Spawn {
        config: Some(config),
        ..Spawn::default()
    });
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["chat", "write"]).await;
    let client = Client::builder().http2_prior_knowledge().build();
    let client = client.expect("a client");
    let post = |path: &str, length: usize| {
        let call = client.post(format!("{}{path}", program.url));
        call.bearer_auth(&key)
            .body(Body::from(vec![0; length]))
            .send()
    };
    let stuck: Vec<_> = (0..8)
        .map(|_| tokio::spawn(post("/v1/audio/transcriptions", 64 << 20)))
        .collect();
    let _held = held.join().expect("each has a connection at the upstream");
    for _ in 0..20 {
        let answered = tokio::time::timeout(Duration::from_secs(10), post("/v1/files", 1 << 20));
        let answered = answered.await.expect("it is not held up");
        assert_eq!(answered.expect("it answers").status(), 200);
    }
    assert!(stuck.iter().all(|call| !call.is_finished()));
}
