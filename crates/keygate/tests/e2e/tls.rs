//! Upstreams behind TLS.

use std::convert::Infallible;

use http_body_util::Full;
use hyper::{body::Bytes, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use reqwest::Client;
use tokio::net::TcpListener;

use crate::support::{Account, EMAIL, Program, Spawn, certificate};

/// An upstream at `https://localhost:…`, and its certificate in PEM.
async fn upstream() -> (String, String) {
    let (acceptor, certificate) = certificate();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("accepted");
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let answer = |_| async {
                    Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from("over TLS"))))
                };
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server
                    .serve_connection(TokioIo::new(stream), service_fn(answer))
                    .await;
            });
        }
    });
    (format!("https://localhost:{port}"), certificate)
}

async fn get(program: &Program) -> (u16, String) {
    let account = Account::create(program).await;
    let (_, key) = account.key(&["read"]).await;
    let request = Client::new().get(format!("{}/v1/models", program.url));
    let answer = request.bearer_auth(&key).send().await.expect("it answers");
    (
        answer.status().as_u16(),
        answer.text().await.expect("a body"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_with_a_trusted_certificate_is_reached() {
    let (url, certificate) = upstream().await;
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let trusted = folder.path().join("ca.pem");
    std::fs::write(&trusted, certificate).expect("written");
    let mut program = Program::start(Spawn {
        upstream: Some(url),
        env: vec![("SSL_CERT_FILE".into(), trusted.display().to_string())],
        ..Spawn::default()
    });
    assert_eq!(get(&program).await, (200, "over TLS".to_owned()));
    assert!(program.terminate().success());
    let listed = program.cli(&["key", "list", "--account", EMAIL, "--json"], "");
    let keys: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(
        keys[0]["requests"], 1,
        "one request is one use, though the express lane leaves it to hyper"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_with_a_certificate_of_its_own_making_is_not() {
    let (url, _) = upstream().await;
    let program = Program::with_upstream(&url);
    let (status, body) = get(&program).await;
    assert_eq!(status, 502);
    assert!(body.contains("upstream_unreachable"), "{body}");
}
