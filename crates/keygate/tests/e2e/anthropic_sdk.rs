//! Anthropic's Python package, through the gateway.

use std::{path::Path, process::Command};

use axum::{
    Json, Router,
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
    routing::{get, post},
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Account, Program};

/// An API in the shape of Anthropic's that always says the same.
async fn upstream() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let model = json!({"type": "model", "id": "tiny", "display_name": "Tiny", "created_at": "2026-01-01T00:00:00Z"});
    let models = json!({"data": [model], "has_more": false, "first_id": "tiny", "last_id": "tiny"});
    let router = Router::new()
        .route("/v1/messages", post(answer))
        .route(
            "/v1/messages/count_tokens",
            post(async || Json(json!({"input_tokens": 3}))),
        )
        .route("/v1/models", get(async || Json(models)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

async fn answer(Json(asked): Json<Value>) -> Response {
    let usage = json!({"input_tokens": 3, "output_tokens": 2});
    let message = |content: Value, stop: Value| {
        json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "tiny", "content": content,
            "stop_reason": stop, "stop_sequence": null, "usage": usage,
        })
    };
    if asked["stream"] != true {
        let content = json!([{"type": "text", "text": "Hello there"}]);
        return Json(message(content, json!("end_turn"))).into_response();
    }
    let text = |text: &str| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
    let events = [
        json!({"type": "message_start", "message": message(json!([]), Value::Null)}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        text("Hello "),
        text("there"),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": usage}),
        json!({"type": "message_stop"}),
    ];
    let event = |event: Value| {
        let kind = event["type"].as_str().expect("a kind").to_owned();
        Event::default().event(kind).json_data(event)
    };
    Sse::new(stream::iter(events.map(event))).into_response()
}

const SAID: &str = "\
Hello there
Hello there
Hello there
3
['tiny']
AuthenticationError 401 invalid_api_key True
PermissionDeniedError 403 insufficient_scope True
";

#[tokio::test(flavor = "multi_thread")]
async fn anthropics_package_calls_streams_and_reads_errors() {
    let program = Program::with_upstream(&upstream().await);
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["chat", "read"]).await;
    let (_, read_only) = account.key(&["read"]).await;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(here.join("../../target/test-tools/venv/bin/python"))
        .arg(here.join("tests/e2e/anthropic_sdk.py"))
        .args([&program.url, &key, &read_only])
        .output()
        .expect("Python runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), SAID, "{complaint}");
}

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
