//! What costs a client of HTTP/2 nothing, sent without end.

use std::time::Duration;

use reqwest::Client;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::{
    Account, Caller, MIB, Program, Upstream, eventually,
    http2::{self, END_STREAM},
};

/// On how many connections each flood comes, one after another at each of as many clients.
const CONNECTIONS: usize = 10;
const CLIENTS: usize = 4;
/// How often it comes on each of them, if it is let.
const TIMES: u32 = 2_000;
/// How much more memory there may be after all of them.
const GROWTH: u64 = 32 * MIB;

/// What is sent again and again, by its number.
type Flood<'a> = &'a (dyn Fn(u32) -> Vec<u8> + Sync);

/// Sends a flood on one connection, as far as it is let.
async fn flood(program: &Program, flood: Flood<'_>) {
    let mut stream = TcpStream::connect(program.address())
        .await
        .expect("it listens");
    let mut sent = http2::beginning(65_535);
    let (mut reading, mut writing) = stream.split();
    let answers = async {
        let mut answer = vec![0; 1 << 14];
        while reading.read(&mut answer).await.is_ok_and(|read| read > 0) {}
    };
    let sending = async {
        for number in 0..TIMES {
            sent.extend(flood(number));
            if sent.len() > 1 << 14 {
                if writing.write_all(&sent).await.is_err() {
                    return;
                }
                sent.clear();
            }
        }
        let _ = writing.write_all(&sent).await;
    };
    tokio::select! {
        () = answers => {}
        () = sending => {}
    }
}

/// Calls while others send a flood, and once more; how much memory there is afterwards.
async fn is_called_during(program: &Program, key: &str, kind: Flood<'_>) -> u64 {
    let client = || async {
        for _ in 0..CONNECTIONS {
            let sent = timeout(Duration::from_secs(20), flood(program, kind)).await;
            sent.expect("it is taken or refused");
        }
    };
    let flooding = futures_util::future::join_all((0..CLIENTS).map(|_| client()));
    let calling = async {
        let mut caller = Caller::connect(&program.url).await;
        loop {
            let status = caller.call(key).await;
            assert_eq!(status.expect("it is answered"), 200);
        }
    };
    tokio::select! {
        _ = flooding => {}
        () = calling => {}
    }
    let mut caller = Caller::connect(&program.url).await;
    let status = caller.call(key).await;
    assert_eq!(status.expect("it is answered"), 200);
    program.resident_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_resets_and_frames_take_no_memory_and_reach_no_upstream_for_long() {
    let upstream = Upstream::start().await;
    let program = Program::with_upstream(&upstream.url());
    let (_, key) = Account::create(&program).await.key(&["read", "chat"]).await;
    let authorization = format!("Bearer {key}");
    let authorized = [("authorization", &*authorization)];
    let stream = |number: u32| 2 * number + 1;
    let head =
        |number, flags, method, path| http2::head(stream(number), flags, method, path, &authorized);
    let body = vec![b'x'; 4_096];
    let reset_get = |number| {
        let head = head(number, END_STREAM, "GET", "/v1/slow");
        [head, http2::reset(stream(number))].concat()
    };
    let reset_upload = |number| {
        let head = head(number, 0, "POST", "/v1/slow");
        let body = http2::data(stream(number), 0, &body);
        [head, body, http2::reset(stream(number))].concat()
    };
    let reset_form = |number| {
        let head = head(number, 0, "POST", "/api/session");
        let body = http2::data(stream(number), 0, &body);
        [head, body, http2::reset(stream(number))].concat()
    };
    let left_alone = |number| head(number, 0, "POST", "/v1/slow");
    let half_heads = |number| match number {
        0 => http2::half_head(1),
        _ => http2::continuation(1),
    };
    let floods: [(&str, Flood<'_>); 7] = [
        ("GET that is reset", &reset_get),
        ("upload that is reset", &reset_upload),
        ("form that is reset", &reset_form),
        ("upload without a body", &left_alone),
        ("head without an end", &half_heads),
        ("settings", &|_| http2::empty_settings()),
        ("pings", &|_| http2::ping()),
    ];
    let before = (program.open_sockets(), program.resident_bytes());
    for (name, flood) in floods {
        let memory = is_called_during(&program, &key, flood).await;
        let grown = memory.saturating_sub(before.1);
        assert!(grown < GROWTH, "{name}: {} MiB more", grown / MIB);
    }
    eventually("nothing of them is left", async || {
        upstream.active() == 0 && program.open_sockets() <= before.0
    })
    .await;
    let answer = Client::new().get(format!("{}/healthz", program.url)).send();
    assert_eq!(answer.await.expect("it answers").status(), 200);
}
