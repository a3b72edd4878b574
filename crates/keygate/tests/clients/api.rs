//! An API that speaks as OpenAI's, Anthropic's and Ollama's do, and always says the same.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue},
    middleware::{Next, from_fn_with_state},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
    routing::{get, post},
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const WORDS: [&str; 2] = ["Hello ", "there"];

pub(crate) struct Api {
    address: SocketAddr,
    seen: Seen,
}

/// What was asked for, and with which headers.
type Seen = Arc<Mutex<Vec<(String, HeaderMap)>>>;

impl Api {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen = Seen::default();
        let router = Router::new()
            .route("/v1/chat/completions", post(openai))
            .route("/v1/messages", post(anthropic))
            .route(
                "/v1/messages/count_tokens",
                post(async || Json(json!({"input_tokens": 3}))),
            )
            .route(
                "/v1/models",
                get(async || Json(json!({"data": [{"id": "tiny"}]}))),
            )
            .route("/api/chat", post(ollama))
            .layer(from_fn_with_state(seen.clone(), look));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<(String, HeaderMap)> {
        self.seen.lock().expect("not poisoned").clone()
    }

    /// Whether a client's key has come here.
    pub(crate) fn has_seen_keys(&self) -> bool {
        let is_key = |value: &HeaderValue| value.as_bytes().windows(4).any(|part| part == b"ask_");
        self.seen()
            .iter()
            .any(|(_, headers)| headers.values().any(is_key))
    }
}

async fn look(
    State(seen): State<Seen>,
    headers: HeaderMap,
    request: Request,
    next: Next,
) -> Response {
    let asked = format!("{} {}", request.method(), request.uri());
    seen.lock().expect("not poisoned").push((asked, headers));
    next.run(request).await
}

async fn hang_if_late(asked: &Value) {
    if asked["model"] == "late" {
        std::future::pending::<()>().await;
    }
}

async fn openai(Json(asked): Json<Value>) -> Response {
    hang_if_late(&asked).await;
    let usage = json!({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3});
    let answer = |kind: &str, choice: Value, usage: &Value| {
        json!({
            "id": "chatcmpl-1", "object": kind, "created": 1_767_225_600, "model": asked["model"],
            "choices": [choice], "usage": usage,
        })
    };
    if asked["stream"] != true {
        let message = json!({"role": "assistant", "content": WORDS.concat()});
        let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
        return Json(answer("chat.completion", choice, &usage)).into_response();
    }
    let piece = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        answer("chat.completion.chunk", choice, &Value::Null).to_string()
    };
    let words = WORDS.map(|word| piece(json!({"role": "assistant", "content": word}), Value::Null));
    let end = [piece(json!({}), json!("stop")), "[DONE]".to_owned()];
    let events: Vec<_> = words.into_iter().chain(end).collect();
    let event = |data: String| Ok::<_, std::convert::Infallible>(Event::default().data(data));
    Sse::new(stream::iter(events.into_iter().map(event))).into_response()
}

async fn anthropic(Json(asked): Json<Value>) -> Response {
    hang_if_late(&asked).await;
    let usage = json!({"input_tokens": 3, "output_tokens": 2});
    let message = |content: Value, stop: Value| {
        json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "tiny", "content": content,
            "stop_reason": stop, "stop_sequence": null, "usage": usage,
        })
    };
    if asked["stream"] != true {
        let content = json!([{"type": "text", "text": WORDS.concat()}]);
        return Json(message(content, json!("end_turn"))).into_response();
    }
    let text = |text: &str| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
    let events = [
        json!({"type": "message_start", "message": message(json!([]), Value::Null)}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        text(WORDS[0]),
        text(WORDS[1]),
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

async fn ollama(Json(asked): Json<Value>) -> Response {
    hang_if_late(&asked).await;
    let line = |content: &str, is_done: bool| {
        let message = json!({"role": "assistant", "content": content});
        let line = json!({
            "model": "tiny", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": is_done,
        });
        format!("{line}\n")
    };
    if asked["stream"] == false {
        return Body::from(line(&WORDS.concat(), true)).into_response();
    }
    let lines = [line(WORDS[0], false), line(WORDS[1], false), line("", true)];
    let lines = lines.map(Ok::<_, std::convert::Infallible>);
    let headers = [("content-type", "application/x-ndjson")];
    (headers, Body::from_stream(stream::iter(lines))).into_response()
}
