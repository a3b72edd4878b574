//! Errors in the form that the client's library reads.

use serde_json::{Value, json};

use crate::support::{Account, Program, Spawn};

/// What a call on a plain connection, and one that the HTTP library serves, are answered.
#[tokio::test(flavor = "multi_thread")]
async fn both_lanes_write_errors_in_anthropics_form() {
    let program = Program::with_upstream("http://127.0.0.1:1");
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["chat"]).await;
    for connection in ["keep-alive", "keep-alive, x-unusual"] {
        for (key, path, version, code, form) in [
            ("wrong", "/v1/messages", None, "invalid_api_key", "error"),
            (&*key, "/v1/messages", None, "upstream_unreachable", "error"),
            (
                "wrong",
                "/v1/chat/completions",
                Some("2023-06-01"),
                "invalid_api_key",
                "error",
            ),
            ("wrong", "/v1/chat/completions", None, "invalid_api_key", ""),
        ] {
            let call = account.client.post(format!("{}{path}", program.url));
            let call = call
                .header("connection", connection)
                .bearer_auth(key)
                .body("{}");
            let call = match version {
                Some(version) => call.header("anthropic-version", version),
                None => call,
            };
            let answer = call.send().await.expect("an answer");
            let id = answer.headers()["x-request-id"].clone();
            let has_id = answer.headers().get("request-id") == Some(&id);
            assert_eq!(has_id, form == "error", "{path} {version:?}");
            let error: Value = answer.json().await.expect("JSON");
            assert_eq!(error["error"]["code"], code, "{connection}");
            assert_eq!(error["type"].as_str().unwrap_or_default(), form);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_lanes_write_errors_in_ollamas_form_on_its_paths() {
    let program = Program::start(Spawn {
        config: Some("[[upstream]]\npath = \"/ollama\"\nurl = \"http://127.0.0.1:1\"\n".to_owned()),
        ..Spawn::default()
    });
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["chat"]).await;
    for connection in ["keep-alive", "keep-alive, x-unusual"] {
        for (key, status, message) in [
            ("wrong", 401, "The API key is not valid"),
            (&*key, 502, "cannot be reached"),
        ] {
            let call = account
                .client
                .post(format!("{}/ollama/api/chat", program.url));
            let call = call.header("connection", connection);
            let answer = call.bearer_auth(key).body("{}").send().await;
            let answer = answer.expect("an answer");
            assert_eq!(answer.status(), status);
            assert!(answer.headers().contains_key("x-request-id"));
            let error: Value = answer.json().await.expect("JSON");
            let said = error["error"].as_str().expect("text");
            assert!(said.contains(message), "{said}");
            assert_eq!(error, json!({ "error": said }));
        }
    }
}
