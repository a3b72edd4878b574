//! Several addresses of one upstream: requests are shared among those that work, and none is sent twice.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::State, http::HeaderMap};
use bytes::Bytes;
use futures_util::{StreamExt, future::join_all, stream};
use serde_json::Value;
use tokio::{net::TcpListener, runtime::Runtime, time::sleep};

use crate::support::{Account, LANES, Program, Spawn, eventually, free_port};

const PIECES: usize = 5;

/// A server that notes what it is sent, and can be killed and made to hang.
struct Server {
    address: SocketAddr,
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    ids: Mutex<Vec<String>>,
    hangs: AtomicBool,
}

impl Server {
    fn start(pause: Duration) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let shared = Arc::<Shared>::default();
        let router = Router::new()
            .fallback(move |state, headers| answer(pause, state, headers))
            .with_state(shared.clone());
        let (tell, told) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            tell.send(listener.local_addr().expect("an address"))
                .expect("it is waited for");
            axum::serve(listener, router).await
        });
        Self {
            address: told.recv().expect("it listens"),
            runtime: Some(runtime),
            shared,
        }
    }

    fn ids(&self) -> Vec<String> {
        self.shared.ids.lock().expect("not poisoned").clone()
    }

    /// Ends it with all its connections.
    fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    fn hang(&self) {
        self.shared.hangs.store(true, Ordering::SeqCst);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn answer(pause: Duration, State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Body {
    if let Some(id) = headers.get("x-id") {
        let id = id.to_str().expect("ASCII").to_owned();
        shared.ids.lock().expect("not poisoned").push(id);
    }
    if shared.hangs.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    let pieces = stream::iter(0..PIECES).then(move |_| async move {
        sleep(pause).await;
        Ok::<_, Infallible>(Bytes::from_static(b"piece\n"))
    });
    Body::from_stream(pieces)
}

fn program(addresses: &[SocketAddr], more: &str) -> Program {
    let urls: Vec<String> = addresses.iter().map(|to| format!("http://{to}")).collect();
    Program::start(Spawn {
        config: Some(format!("[[upstream]]\nurl = {urls:?}\n{more}")),
        status_interval: Some("200ms"),
        log: Some("debug".to_owned()),
        ..Spawn::default()
    })
}

/// How a request went.
struct Outcome {
    id: String,
    /// Which upstream answered, and whether its answer is whole.
    answered: Option<(String, bool)>,
}

async fn ask(url: &str, key: &str, id: String) -> Outcome {
    let lane = LANES[id.len() % 2];
    let client = reqwest::Client::new();
    let request = client.post(format!("{url}/v1/chat/completions"));
    let request = request.bearer_auth(key).header("connection", lane);
    let answer = request.header("x-id", &id).body("{}").send().await;
    let answer = answer.expect("keygate answers");
    let upstream = answer.headers().get("x-keygate-upstream").cloned();
    let answered = match upstream {
        Some(label) if answer.status() == 200 => {
            let body = answer.text().await;
            let is_whole = body.is_ok_and(|body| body == "piece\n".repeat(PIECES));
            Some((label.to_str().expect("ASCII").to_owned(), is_whole))
        }
        _ => None,
    };
    Outcome { id, answered }
}

/// So many at once, under ids of their own, on both lanes.
async fn ask_many(url: &str, key: &str, name: &str, count: usize) -> Vec<Outcome> {
    let ids = (0..count).map(|index| format!("{name}-{}{index}", "x".repeat(index % 2)));
    join_all(ids.map(|id| ask(url, key, id))).await
}

/// Each id that was seen by one of the servers, and how often.
fn seen(servers: &[&Server]) -> HashMap<String, usize> {
    let mut seen = HashMap::new();
    for id in servers.iter().flat_map(|server| server.ids()) {
        *seen.entry(id).or_default() += 1;
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_not_there_costs_no_request() {
    let servers = [Server::start(Duration::ZERO), Server::start(Duration::ZERO)];
    let gone = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let addresses = [gone, servers[0].address, servers[1].address];
    let program = program(&addresses, "status_path = \"off\"\n");
    let (_, key) = Account::create(&program).await.key(&["chat"]).await;
    let outcomes = ask_many(&program.url, &key, "each", 40).await;
    let mut by_label: HashMap<String, usize> = HashMap::new();
    for outcome in outcomes {
        let (label, is_whole) = outcome.answered.expect("it was answered");
        assert!(is_whole, "{}", outcome.id);
        *by_label.entry(label).or_default() += 1;
    }
    assert!(by_label["/v1#2"] > 0 && by_label["/v1#3"] > 0);
    assert_eq!(by_label.len(), 2, "{by_label:?}");
    // The log says so, too.
    let log = program.log();
    for label in ["/v1#2", "/v1#3"] {
        assert!(
            log.contains(&format!("\"upstream\":\"\\\"{label}\\\"\"")),
            "{log}"
        );
    }
    let seen = seen(&[&servers[0], &servers[1]]);
    assert!(seen.len() == 40 && seen.values().all(|times| *times == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_one_is_killed_one_hangs_and_one_is_slow() {
    let pause = Duration::from_millis(50);
    let (mut killed, hung, slow) = (
        Server::start(pause),
        Server::start(pause),
        Server::start(pause * 4),
    );
    let addresses = [killed.address, hung.address, slow.address];
    let program = program(&addresses, "response_timeout = \"2s\"\n");
    let (_, key) = Account::create(&program).await.key(&["chat"]).await;
    let url = program.url.clone();
    let before = tokio::spawn({
        let (url, key) = (url.clone(), key.clone());
        async move { ask_many(&url, &key, "before", 100).await }
    });
    eventually("all are asked", async || {
        seen(&[&killed, &hung, &slow]).len() == 100
    })
    .await;
    killed.kill();
    hung.hang();
    let mut outcomes = ask_many(&url, &key, "after", 100).await;
    outcomes.extend(before.await.expect("it ends"));
    let seen = seen(&[&killed, &hung, &slow]);
    assert!(seen.values().all(|times| *times == 1), "sent twice");
    let ids = [killed.ids(), hung.ids()].concat();
    for Outcome { id, answered } in &outcomes {
        let is_well = matches!(answered, Some((_, true)));
        assert!(is_well || ids.contains(id), "{id} failed unsent");
    }
    // Once it is known who hangs, nothing fails.
    eventually("the one that hangs is avoided", async || {
        let outcomes = ask_many(&url, &key, "late", 4).await;
        let is_slow = |outcome: Outcome| outcome.answered == Some(("/v1#3".to_owned(), true));
        outcomes.into_iter().all(is_slow)
    })
    .await;
    eventually("the page shows it", async || {
        let status = reqwest::get(format!("{url}/api/status")).await;
        let status: Value = status.expect("an answer").json().await.expect("JSON");
        let components = status["components"].as_array().expect("a list").clone();
        let state = |name: &str| {
            let found = components.iter().find(|one| one["name"] == name);
            found.expect(name)["status"].clone()
        };
        state("API (1 of 3)") != "operational"
            && state("API (2 of 3)") != "operational"
            && state("API (3 of 3)") == "operational"
    })
    .await;
    assert!(!program.log().contains("panicked"));
}
