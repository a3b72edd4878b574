//! Where metrics are served, and how.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use reqwest::{Client, Method, StatusCode, header::ACCEPT};
use tempfile::TempDir;

use super::{figure, shown};
use crate::support::{Account, Metrics, Program, Spawn, Upstream, eventually, keygate};

fn measured() -> Program {
    Program::start(Spawn {
        metrics: Metrics::Anywhere,
        ..Spawn::default()
    })
}

fn connect(program: &Program) -> TcpStream {
    let url = program.metrics_url();
    let address = url.strip_prefix("http://").expect("plain http");
    let address = address.strip_suffix("/metrics").expect("its path");
    TcpStream::connect(address).expect("it listens")
}

#[tokio::test]
async fn each_gets_the_format_that_it_can_read() {
    let program = measured();
    let client = Client::new();
    let version = env!("CARGO_PKG_VERSION");
    let build = format!("\nkeygate_build_info{{version=\"{version}\"}} 1\n");
    for (accept, content_type, is_openmetrics) in [
        ("*/*", "text/plain; version=0.0.4; charset=utf-8", false),
        (
            "application/openmetrics-text;version=1.0.0,*/*;q=0.1",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            true,
        ),
    ] {
        let request = client.get(program.metrics_url()).header(ACCEPT, accept);
        let answer = request.send().await.expect("it answers");
        assert_eq!(answer.headers()["content-type"], content_type);
        let text = answer.text().await.expect("text");
        assert_eq!(text.ends_with("\n# EOF\n"), is_openmetrics, "{text}");
        assert!(text.contains(&build), "{text}");
    }
}

#[tokio::test]
async fn nothing_else_is_there_and_it_is_nowhere_else() {
    let program = measured();
    let client = Client::new();
    let status = async |method, url: String| {
        let answer = client.request(method, url).send().await;
        answer.expect("it answers").status()
    };
    let metrics = program.metrics_url().to_owned();
    assert_eq!(status(Method::HEAD, metrics.clone()).await, StatusCode::OK);
    for method in [Method::POST, Method::DELETE, Method::OPTIONS] {
        let refused = status(method, metrics.clone()).await;
        assert_eq!(refused, StatusCode::METHOD_NOT_ALLOWED);
    }
    for other in [
        metrics.replace("/metrics", "/"),
        metrics.replace("/metrics", "/v1/models"),
        metrics.replace("/metrics", "/healthz"),
        format!("{metrics}/"),
        format!("{}/metrics", program.url),
    ] {
        assert_eq!(status(Method::GET, other).await, StatusCode::NOT_FOUND);
    }
}

#[test]
fn a_client_that_does_not_finish_its_request_is_given_up() {
    let program = measured();
    let began = Instant::now();
    let mut slow = connect(&program);
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
        .expect("sent");
    let mut answer = Vec::new();
    let _ = slow.read_to_end(&mut answer);
    assert!(began.elapsed() < Duration::from_secs(20), "{answer:?}");
}

#[test]
fn nobody_who_is_connected_keeps_the_program_from_ending() {
    let mut program = measured();
    let mut slow = connect(&program);
    slow.write_all(b"GET /metrics HTTP/1.1\r\n").expect("sent");
    let began = Instant::now();
    assert!(program.terminate().success());
    assert!(began.elapsed() < Duration::from_secs(8));
    drop(slow);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_under_way_are_counted_in_both_lanes() {
    let upstream = Upstream::start().await;
    let program = Program::start(Spawn {
        upstream: Some(upstream.url()),
        metrics: Metrics::Anywhere,
        ..Spawn::default()
    });
    let (_, key) = Account::create(&program).await.key(&["read"]).await;
    let url = format!("{}/v1/stream", program.url);
    let is_open = async |expected: u64| {
        figure(&shown(&program).await, "keygate_open_streams") == Some(expected)
    };
    let in_full = Client::builder().http2_prior_knowledge().build();
    let mut streams = Vec::new();
    for client in [Client::new(), in_full.expect("a client")] {
        let stream = client.get(&url).bearer_auth(&key).send().await;
        streams.push(stream.expect("an answer"));
        assert!(is_open(streams.len() as u64).await);
    }
    let name = "keygate_requests_total{plane=\"gateway\",route=\"/v1\",status=\"200\"}";
    assert_eq!(figure(&shown(&program).await, name), Some(2));
    while let Some(stream) = streams.pop() {
        drop(stream);
        let left = streams.len() as u64;
        eventually("it is no longer counted", async || is_open(left).await).await;
    }
}

#[test]
fn where_nobody_has_asked_for_metrics_a_taken_port_costs_nothing_but_them() {
    // By whom it is taken does not matter.
    let _taken = TcpListener::bind("127.0.0.1:9464");
    let program = Program::start(Spawn {
        metrics: Metrics::Unset,
        ..Spawn::default()
    });
    assert!(!program.greeting.contains("etrics"), "{}", program.greeting);
    let log = program.log();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("WARN")).collect();
    let [warning] = warnings[..] else {
        panic!("not one warning: {log}");
    };
    for part in [
        "There are no metrics",
        "127.0.0.1:9464",
        "metrics.listen",
        "off",
    ] {
        assert!(warning.contains(part), "{warning}");
    }
}

#[test]
fn a_taken_port_that_was_asked_for_is_a_failure() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let folder = TempDir::new().expect("a temporary folder");
    let mut command: Command = keygate(folder.path());
    command.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--metrics-listen",
        &address,
    ]);
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(
        said.trim(),
        format!(
            "error: Cannot listen on {address}: another program listens there. Choose another address with metrics.listen (--metrics-listen)."
        )
    );
    assert!(!folder.path().join("keygate-data").exists());
}
