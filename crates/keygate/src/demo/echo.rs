//! An upstream for trying things: OpenAI's shape, and no intelligence whatever.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::stream;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// How long the echo takes for a word, so that one can see it stream.
const PER_WORD: Duration = Duration::from_millis(50);

/// The echo while it runs, on loopback.
pub(super) struct Echo {
    pub(super) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Echo {
    pub(super) async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/v1/models", get(models))
            .route("/v1/chat/completions", post(chat));
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, task })
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn models() -> Json<Value> {
    Json(json!({
        "object": "list",
        "data": [{"id": "echo", "object": "model", "created": 0, "owned_by": "keygate-demo-echo"}],
    }))
}

async fn chat(Json(request): Json<Value>) -> Response {
    let said = request["messages"]
        .as_array()
        .and_then(|messages| messages.last())
        .and_then(|message| message["content"].as_str())
        .unwrap_or("nothing");
    let words = words(&format!("This is the demo's echo. You said: {said}"));
    if request["stream"] == true {
        stream(&words).into_response()
    } else {
        let message = json!({"role": "assistant", "content": words.concat()});
        let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
        Json(completion("chat.completion", &choice)).into_response()
    }
}

/// Words with the spaces after them.
fn words(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

fn completion(object: &str, choice: &Value) -> Value {
    json!({
        "id": "chatcmpl-echo",
        "object": object,
        "created": 0,
        "model": "echo",
        "choices": [choice],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    })
}

/// Server-sent events, a word at a time.
fn stream(words: &[String]) -> impl IntoResponse {
    let mut events: Vec<Bytes> = words.iter().map(|word| event(&word_choice(word))).collect();
    events.push(event(
        &json!({"index": 0, "delta": {}, "finish_reason": "stop"}),
    ));
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    let paced = stream::unfold(events.into_iter(), |mut events| async {
        let event = events.next()?;
        tokio::time::sleep(PER_WORD).await;
        Some((Ok::<_, Infallible>(event), events))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream")];
    (headers, Body::from_stream(paced))
}

fn word_choice(word: &str) -> Value {
    json!({"index": 0, "delta": {"content": word}, "finish_reason": null})
}

fn event(choice: &Value) -> Bytes {
    let chunk = completion("chat.completion.chunk", choice);
    Bytes::from(format!("data: {chunk}\n\n"))
}
