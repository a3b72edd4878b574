//! SIGTERM: not ready, drain, flush, exit 0.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use reqwest::{Client, Method};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::support::{Account, Caller, Program, Upstream, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_finishes_and_what_was_used_is_written() {
    let upstream = Upstream::start().await;
    let mut program = Program::with_upstream(&upstream.url());
    let account = Account::create(&program).await;
    let (id, key) = account.key(&["read"]).await;
    let client = Client::new();
    let slow = client
        .get(format!("{}/v1/slow", program.url))
        .bearer_auth(&key)
        .send();
    let slow = tokio::spawn(slow);
    eventually("the request is under way", async || upstream.active() == 1).await;
    let mut idle = Caller::connect(&program.url).await;
    assert_eq!(idle.call(&key).await.expect("it answers"), 200);
    program.signal("TERM");
    let url = format!("{}/readyz", program.url);
    eventually("it says that it is not ready", async || {
        let answer = Client::new().get(&url).send().await;
        answer.is_ok_and(|answer| answer.status() == 503)
    })
    .await;
    idle.closed().await.expect("what is idle is closed");
    upstream.release();
    let answer = slow.await.expect("no panic").expect("it is answered");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["connection"], "close");
    let status = program.wait();
    assert!(status.success(), "{status}");

    let program = program.restart();
    let account = account.at(&program.url);
    let path = format!("/api/keys/{id}");
    let record = account
        .call(Method::GET, &path)
        .send()
        .await
        .expect("it answers");
    let record: serde_json::Value = record.json().await.expect("JSON");
    assert!(!record["last_used_at"].is_null(), "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_program_stops_at_once_and_leaves_no_socket() {
    let mut program = Program::start(crate::support::Spawn::default());
    assert!(program.data().join("operator.sock").exists());
    assert!(program.terminate().success());
    assert!(!program.data().join("operator.sock").exists());
    assert!(program.log().contains("stopped"));
}

/// What clients have said that then say nothing more: a request or a connection that is not whole, in
/// every way in which it is read.
const BEGINNINGS: [&str; 6] = [
    "",
    "GET /v1/models HTTP/1.1\r\nHos",
    "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHos",
    "PRI * HTTP/2.0\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0",
];

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_say_nothing_do_not_keep_it_from_ending() {
    let upstream = Upstream::start().await;
    let mut program = Program::with_upstream(&upstream.url());
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["read"]).await;
    let mut idle = Vec::new();
    let mut multiplexed = Vec::new();
    let mut silent = Vec::new();
    let address = program.url.strip_prefix("http://").expect("plain http");
    for _ in 0..20 {
        let mut caller = Caller::connect(&program.url).await;
        assert_eq!(caller.call(&key).await.expect("an answer"), 200);
        idle.push(caller);
        let client = Client::builder().http2_prior_knowledge().build();
        let client = client.expect("a client");
        let call = client.get(format!("{}/v1/models", program.url));
        let answer = call.bearer_auth(&key).send().await.expect("an answer");
        assert_eq!(answer.text().await.expect("a body"), "{\"ok\":true}");
        multiplexed.push(client);
        for beginning in BEGINNINGS {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            stream.write_all(beginning.as_bytes()).await.expect("sent");
            silent.push(stream);
        }
    }
    let asked = Instant::now();
    assert!(program.terminate().success());
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{:?}",
        asked.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_whatever_is_under_way() {
    let upstream = Upstream::start().await;
    let mut program = Program::with_upstream(&upstream.url());
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["read"]).await;
    let request = Client::new().get(format!("{}/v1/stream", program.url));
    let answer = request.bearer_auth(&key).send().await.expect("it answers");
    let mut stream = answer.bytes_stream();
    stream.next().await.expect("an event").expect("an event");
    program.signal("INT");
    eventually("it has heard", async || program.log().contains("stopping")).await;
    program.signal("INT");
    assert_eq!(program.wait().code(), Some(130));
}
