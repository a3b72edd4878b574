//! Whose address the limits count.

use reqwest::Client;
use serde_json::json;

use crate::support::{Program, Spawn};

/// Tries to sign in 31 times from one address, as `X-Forwarded-For` has it, and then from another:
/// the last status of each.
async fn last_statuses(program: &Program) -> (u16, u16) {
    let client = Client::new();
    let attempt = async |from: &str| {
        // What is no address costs no hash, and counts all the same.
        let body = json!({"email": "nobody", "password": "x"});
        let request = client.post(format!("{}/api/session", program.url));
        let answer = request.header("x-forwarded-for", from).json(&body).send();
        answer.await.expect("it answers").status().as_u16()
    };
    for _ in 0..30 {
        assert_eq!(attempt("192.0.2.1").await, 401);
    }
    (attempt("192.0.2.1").await, attempt("192.0.2.2").await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_word_on_its_address_is_not_believed() {
    let program = Program::start(Spawn::default());
    assert_eq!(last_statuses(&program).await, (429, 429));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxys_word_is() {
    let program = Program::start(Spawn {
        config: Some("[server]\ntrusted_proxies = [\"127.0.0.1\"]\n".into()),
        ..Spawn::default()
    });
    assert_eq!(last_statuses(&program).await, (429, 401));
}
