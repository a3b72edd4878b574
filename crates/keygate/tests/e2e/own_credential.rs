//! The credential that the operator has for an upstream, and an upstream that does not take it.

use std::{
    io::{Read, Write},
    net::TcpListener,
};

use serde_json::Value;

use crate::support::{Account, Program, Spawn, eventually};

const SECRET: &str = "sk-operators-own";
/// What makes a request one for the HTTP library, and not for the express lane.
const LIBRARY: &str = "Connection: close\r\n";

/// An upstream that refuses what it is sent in different ways, by the path.
fn upstream() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = [0; 4_096];
            let read = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let (status, body) = match path {
                "/v1/unauthorized" => ("401 Unauthorized", format!("Incorrect: {SECRET}")),
                "/v1/forbidden" => ("403 Forbidden", "code: invalid_API_key".to_owned()),
                "/v1/elsewhere" => ("403 Forbidden", "Not in your region.".to_owned()),
                _ => ("200 OK", "ok".to_owned()),
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nWWW-Authenticate: Basic\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            // In two pieces, as large answers come.
            let sent = stream.write_all(head.as_bytes());
            let _ = sent.and_then(|()| stream.write_all(body.as_bytes()));
        }
    });
    url
}

fn program(more: &str, folder: &tempfile::TempDir) -> Program {
    let file = folder.path().join("credential");
    std::fs::write(&file, SECRET).expect("written");
    let more = more.replace("FILE", file.to_str().expect("UTF-8"));
    Program::start(Spawn {
        config: Some(format!("[[upstream]]\nurl = \"{}\"\n{more}", upstream())),
        status_interval: Some("100ms"),
        ..Spawn::default()
    })
}

fn ask(program: &Program, key: &str, method: &str, path: &str, lane: &str) -> String {
    // After an answer of keygate's own the connection would stay.
    let length = if method == "POST" {
        "Content-Length: 2\r\n\r\n{}"
    } else {
        "\r\n"
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{lane}{length}"
    );
    let mut stream = std::net::TcpStream::connect(program.address()).expect("it listens");
    stream.write_all(request.as_bytes()).expect("sent");
    let ended = stream.shutdown(std::net::Shutdown::Write);
    ended.expect("it is still there");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_that_refuses_the_operators_credential_is_the_operators_fault() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let program = program("credential_file = \"FILE\"\n", &folder);
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["chat", "read", "write"]).await;
    let down = async || {
        let status = reqwest::get(format!("{}/api/status", program.url)).await;
        let status: Value = status.expect("it answers").json().await.expect("JSON");
        let mut components = status["components"].as_array().expect("an array").iter();
        let found = components.find(|one| one["id"] == "upstream:/v1");
        let uptime = &found.expect("it is there")["uptime"]["last_24_hours"];
        (uptime["up"].as_u64(), uptime["down"].as_u64())
    };
    eventually("it was probed", async || down().await.0 > Some(0)).await;
    assert_eq!(down().await.1, Some(0));
    for method in ["GET", "POST"] {
        for lane in ["", LIBRARY] {
            for path in ["/v1/unauthorized", "/v1/forbidden"] {
                let answer = ask(&program, &key, method, path, lane);
                let place = format!("{method} {path} {lane}{answer}");
                assert!(answer.starts_with("HTTP/1.1 502 "), "{place}");
                assert!(
                    answer.contains("\"upstream_refused_credential\""),
                    "{place}"
                );
                assert!(
                    !answer.to_lowercase().contains("www-authenticate"),
                    "{place}"
                );
                assert!(!answer.contains(SECRET), "{place}");
            }
            let answer = ask(&program, &key, method, "/v1/elsewhere", lane);
            assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
            assert!(answer.ends_with("\r\n\r\nNot in your region."), "{answer}");
        }
    }
    let log = program.log();
    let warned = log.lines().filter(|line| {
        line.contains("\"WARN\"") && line.contains("\"upstream_refused_credential\"")
    });
    assert_eq!(warned.count(), 8, "{log}");
    assert!(!log.contains(SECRET), "{log}");
    eventually("the status page has it", async || down().await.1 > Some(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_credential_an_upstreams_refusals_pass_as_they_came() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let program = program("", &folder);
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["chat", "read", "write"]).await;
    for lane in ["", LIBRARY] {
        let answer = ask(&program, &key, "GET", "/v1/unauthorized", lane);
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        let answer = ask(&program, &key, "GET", "/v1/forbidden", lane);
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert!(answer.ends_with("invalid_API_key"), "{answer}");
    }
}
