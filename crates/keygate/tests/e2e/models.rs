//! Upstreams of one path, of which the request's model chooses one.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::Uri,
    routing::{any, get},
};
use futures_util::StreamExt;
use reqwest::{Body, Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Account, LANES, Program, Spawn, eventually};

/// An API that serves some models, and answers with its name and what it was sent.
struct Api {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    name: &'static str,
    models: Vec<&'static str>,
    bodies: Mutex<Vec<Bytes>>,
}

impl Api {
    async fn start(name: &'static str, models: &[&'static str]) -> Self {
        let shared = Arc::new(Shared {
            name,
            models: models.to_vec(),
            bodies: Mutex::default(),
        });
        let router = Router::new()
            .route("/v1/models", get(list))
            .fallback(any(answer))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(shared.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    fn bodies(&self) -> Vec<Bytes> {
        self.shared.bodies.lock().expect("not poisoned").clone()
    }
}

async fn list(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let models = shared.models.iter();
    let models = models.map(|id| json!({"id": id, "object": "model", "owned_by": shared.name}));
    Json(json!({"object": "list", "data": models.collect::<Vec<_>>()}))
}

async fn answer(State(shared): State<Arc<Shared>>, _: Uri, body: Bytes) -> &'static str {
    shared.bodies.lock().expect("not poisoned").push(body);
    shared.name
}

struct World {
    llama: Api,
    rest: Api,
    program: Program,
    account: Account,
    key: String,
}

/// A keygate before these, each for its models.
fn program(upstreams: &[(SocketAddr, Option<&str>)]) -> Program {
    let sections = upstreams.iter().map(|(address, models)| {
        let models = models.map(|models| format!("models = [\"{models}\"]\n"));
        let models = models.unwrap_or_default();
        format!("[[upstream]]\nurl = \"http://{address}\"\n{models}")
    });
    Program::start(Spawn {
        config: Some(sections.collect()),
        ..Spawn::default()
    })
}

async fn world() -> World {
    let llama = Api::start("llama", &["llama-3", "llama-4", "whisper"]).await;
    let rest = Api::start("rest", &["gpt", "llama-of-another", "meta/x"]).await;
    let program = program(&[(llama.address, Some("llama*")), (rest.address, None)]);
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["chat", "read", "write"]).await;
    World {
        llama,
        rest,
        program,
        account,
        key,
    }
}

impl World {
    fn post(&self, path: &str, lane: &str) -> RequestBuilder {
        let request = Client::new().post(format!("{}{path}", self.program.url));
        request.bearer_auth(&self.key).header("connection", lane)
    }

    fn get(&self, path: &str, lane: &str) -> RequestBuilder {
        let request = Client::new().get(format!("{}{path}", self.program.url));
        request.bearer_auth(&self.key).header("connection", lane)
    }

    fn seen(&self) -> usize {
        self.llama.bodies().len() + self.rest.bodies().len()
    }
}

async fn status_and_text(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.text().await.expect("a body"))
}

#[tokio::test]
async fn the_model_that_a_body_names_chooses_the_upstream() {
    let world = world().await;
    let long = "x".repeat(300_000);
    for lane in LANES {
        for (body, expected) in [
            (r#"{"model":"llama-3"}"#.to_owned(), "llama"),
            (
                r#"{"x":{"model":"gpt"}, "mod\u0065l" : "llama-3"}"#.to_owned(),
                "llama",
            ),
            (
                format!(r#"{{"messages":"{long}","model":"llama-4"}}"#),
                "llama",
            ),
            (r#"{"model":"gpt"}"#.to_owned(), "rest"),
            (r#"{"messages":[]}"#.to_owned(), "rest"),
        ] {
            let request = world.post("/v1/chat/completions", lane);
            let request = request.header("content-type", "application/json");
            let answered = status_and_text(request.body(body.clone())).await;
            assert_eq!(answered, (200, expected.to_owned()));
            let api = if expected == "llama" {
                &world.llama
            } else {
                &world.rest
            };
            // As it came, to the byte.
            assert_eq!(api.bodies().pop().expect("one"), body.as_bytes());
        }
    }
    // In pieces, without a length.
    let pieces = [r#"{"mod"#, r#"el":"lla"#, r#"ma-3"}"#].map(Ok::<_, std::io::Error>);
    let body = Body::wrap_stream(futures_util::stream::iter(pieces));
    let request = world.post("/v1/chat/completions", "keep-alive").body(body);
    assert_eq!(status_and_text(request).await, (200, "llama".to_owned()));
    let body = world.llama.bodies().pop().expect("one");
    assert_eq!(body, r#"{"model":"llama-3"}"#.as_bytes());
    // In a form, after the file.
    let boundary = "--b\r\nContent-Disposition: form-data; name=";
    let form = format!(
        "{boundary}\"file\"; filename=\"a.wav\"\r\n\r\n{long}\r\n{boundary}\"model\"\r\n\r\nllama-3\r\n--b--\r\n"
    );
    let request = world.post("/v1/audio/transcriptions", "keep-alive");
    let request = request.header("content-type", "multipart/form-data; boundary=b");
    let answered = status_and_text(request.body(form)).await;
    assert_eq!(answered, (200, "llama".to_owned()));
}

#[tokio::test]
async fn what_names_no_clear_model_reaches_no_upstream() {
    let world = world().await;
    let too_long = format!(r#"{{"model":"{}"}}"#, "x".repeat(32 * 1024 * 1024));
    for lane in LANES {
        for (body, status, message) in [
            (r#"{"model":"llama-3","model":"gpt"}"#, 400, "names two"),
            (r#"{"model":"gpt","Model":"llama-3"}"#, 400, "names two"),
            (r#"{"model":7}"#, 400, "cannot be read"),
            ("model=llama-3", 400, "cannot be read"),
            (
                r#"{"model":"gpt"} {"model":"llama-3"}"#,
                400,
                "cannot be read",
            ),
            (&too_long, 413, "32 MiB"),
        ] {
            let request = world.post("/v1/chat/completions", lane);
            let answered = status_and_text(request.body(body.to_owned())).await;
            assert_eq!(answered.0, status, "{}", answered.1);
            assert!(answered.1.contains(message), "{}", answered.1);
        }
        for (name, value, status, message) in [
            ("content-encoding", "gzip", 415, "Content-Encoding"),
            (
                "content-type",
                "application/x-www-form-urlencoded",
                415,
                "as JSON",
            ),
            (
                "content-type",
                "multipart/form-data; boundary=a; boundary=b",
                400,
                "as browsers",
            ),
        ] {
            let request = world.post("/v1/chat/completions", lane);
            let request = request.header(name, value).body(r#"{"model":"gpt"}"#);
            let answered = status_and_text(request).await;
            assert_eq!(answered.0, status, "{}", answered.1);
            assert!(answered.1.contains(message), "{}", answered.1);
        }
    }
    assert_eq!(world.seen(), 0);
}

/// Key holders cannot fill the memory with bodies that they never end.
#[tokio::test(flavor = "multi_thread")]
async fn there_is_room_for_so_many_bodies_and_it_is_given_back() {
    let world = world().await;
    let beginning = Bytes::from("x".repeat(30 * 1024 * 1024));
    let stuck = |_| {
        let beginning = beginning.clone();
        let pieces = futures_util::stream::once(async { Ok::<_, std::io::Error>(beginning) });
        let pieces = pieces.chain(futures_util::stream::pending());
        let request = world.post("/v1/chat/completions", "keep-alive");
        tokio::spawn(request.body(Body::wrap_stream(pieces)).send())
    };
    let requests: Vec<_> = (0..12).map(stuck).collect();
    eventually("some are refused", async || {
        requests
            .iter()
            .filter(|request| request.is_finished())
            .count()
            >= 4
    })
    .await;
    let is_refused = |request: &&_| tokio::task::JoinHandle::is_finished(*request);
    assert!(
        requests.iter().filter(is_refused).count() <= 8,
        "none is held"
    );
    for request in requests {
        if request.is_finished() {
            let answer = request.await.expect("it ends").expect("an answer");
            assert_eq!(answer.status(), 503);
            assert_eq!(answer.headers()["retry-after"], "1");
        } else {
            request.abort();
        }
    }
    eventually("there is room again", async || {
        let body = format!(r#"{{"model":"{}"}}"#, "x".repeat(20 * 1024 * 1024));
        let request = world.post("/v1/chat/completions", "keep-alive").body(body);
        status_and_text(request).await == (200, "rest".to_owned())
    })
    .await;
}

/// A body that is held may be long in coming.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_revoked_while_its_body_is_held_opens_nothing() {
    let world = world().await;
    let (id, key) = world.account.key(&["chat"]).await;
    let (pieces, coming) = tokio::sync::mpsc::channel::<Result<&str, std::io::Error>>(1);
    let body = Body::wrap_stream(futures_util::stream::unfold(coming, async |mut coming| {
        Some((coming.recv().await?, coming))
    }));
    let request = Client::new().post(format!("{}/v1/chat/completions", world.program.url));
    let asked = tokio::spawn(request.bearer_auth(&key).body(body).send());
    pieces.send(Ok(r#"{"model":"#)).await.expect("it is read");
    eventually("the key is used", async || {
        let path = format!("/api/keys/{id}");
        let shown = world.account.call(reqwest::Method::GET, &path).send().await;
        let shown: Value = shown.expect("an answer").json().await.expect("JSON");
        shown["last_used_at"] != Value::Null
    })
    .await;
    assert_eq!(world.account.delete(&id).await.status(), 200);
    pieces.send(Ok(r#""llama-3"}"#)).await.expect("it is read");
    drop(pieces);
    let answer = asked.await.expect("it ends").expect("an answer");
    assert_eq!(answer.status(), 401);
    assert_eq!(world.seen(), 0);
}

#[tokio::test]
async fn what_is_no_inference_is_not_looked_into() {
    let world = world().await;
    for lane in LANES {
        let request = world.post("/v1/files", lane).body("model=llama-3");
        assert_eq!(status_and_text(request).await, (200, "rest".to_owned()));
        let request = world.get("/v1/models/llama-3", lane);
        assert_eq!(status_and_text(request).await, (200, "llama".to_owned()));
        let request = world.get("/V1/Models/llama-3/", lane);
        assert_eq!(status_and_text(request).await, (200, "llama".to_owned()));
        let request = world.get("/v1/models/meta%2Fx", lane);
        assert_eq!(status_and_text(request).await, (200, "rest".to_owned()));
    }
}

#[tokio::test]
async fn their_models_are_one_list_of_what_each_is_asked_for() {
    let world = world().await;
    for lane in LANES {
        let (status, text) = status_and_text(world.get("/v1/models", lane)).await;
        assert_eq!(status, 200, "{text}");
        let list: Value = serde_json::from_str(&text).expect("JSON");
        let models = list["data"].as_array().expect("a list").iter();
        let models: Vec<_> = models
            .map(|model| (&model["id"], &model["owned_by"]))
            .collect();
        let expected = json!([
            ["llama-3", "llama"],
            ["llama-4", "llama"],
            ["gpt", "rest"],
            ["meta/x", "rest"]
        ]);
        assert_eq!(json!(models), expected);
        let (_, other) = status_and_text(world.get("/v1/Models/", lane)).await;
        assert_eq!(other, text);
        let refused = Client::new().get(format!("{}/v1/models", world.program.url));
        assert_eq!(status_and_text(refused).await.0, 401);
    }
}

/// An upstream that lists its models in another way, or not at all, keeps nobody from the others' models.
#[tokio::test]
async fn lists_that_are_none_are_left_out() {
    let good = Api::start("good", &["gpt"]).await;
    for list in [
        "[]",
        r#"[{"id":"llama"}]"#,
        "5",
        "null",
        r#"{"data":5}"#,
        "<html>",
    ] {
        let router = Router::new().fallback(async move || list);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        let program = program(&[(address, Some("llama*")), (good.address, None)]);
        let (_, key) = Account::create(&program).await.key(&["read"]).await;
        let request = Client::new().get(format!("{}/v1/models", program.url));
        let (status, text) = status_and_text(request.bearer_auth(&key)).await;
        assert_eq!(status, 200, "{list}: {text}");
        let list: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(list["data"][0]["id"], "gpt");
        assert_eq!(list["data"].as_array().map(Vec::len), Some(1));
    }
}

#[tokio::test]
async fn a_model_that_no_upstream_is_for_is_not_found() {
    let api = Api::start("only", &["llama-3"]).await;
    let program = program(&[(api.address, Some("llama*"))]);
    let (_, key) = Account::create(&program).await.key(&["chat"]).await;
    for lane in LANES {
        let request = Client::new().post(format!("{}/v1/embeddings", program.url));
        let request = request.bearer_auth(&key).header("connection", lane);
        let answered = status_and_text(request.body(r#"{"model":"gpt"}"#)).await;
        assert_eq!(answered.0, 404, "{}", answered.1);
        let body: Value = serde_json::from_str(&answered.1).expect("JSON");
        assert_eq!(body["error"]["message"], "There is no model \"gpt\".");
        assert_eq!(body["error"]["param"], "model");
    }
    assert_eq!(api.bodies().len(), 0);
}
