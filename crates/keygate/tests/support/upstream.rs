use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, StatusCode, Version};
use tokio::{net::TcpListener, sync::Notify};

/// A request as it reached the upstream.
#[derive(Debug, Clone)]
pub struct Seen {
    pub target: String,
    pub version: Version,
    pub headers: HeaderMap,
    pub body_bytes: u64,
}

/// An HTTP server behind the gateway, on loopback, that notes what reaches it. By its path:
///
/// - `/v1/slow`: answers when [`Upstream::release`] is called
/// - `/v1/stream`: server-sent events without end, each with the moment it was sent
/// - `/v1/download`: 512 MiB
/// - `/v1/cookie`: an answer with headers that must not pass
/// - everything else: `{"ok":true}`
pub struct Upstream {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    seen: Mutex<Vec<Seen>>,
    active: AtomicUsize,
    release: Notify,
    epoch: Instant,
}

/// Counts a request for as long as it is under way.
struct Active(Arc<Shared>);

impl Active {
    fn begin(shared: &Arc<Shared>) -> Self {
        shared.active.fetch_add(1, Ordering::SeqCst);
        Self(shared.clone())
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Upstream {
    pub async fn start() -> Self {
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            active: 0.into(),
            release: Notify::new(),
            epoch: Instant::now(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(answer).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same over HTTP/2.
    pub fn h2c_url(&self) -> String {
        format!("h2c://{}", self.address)
    }

    /// What has reached it, oldest first.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().expect("not poisoned").clone()
    }

    pub fn last_seen(&self) -> Seen {
        self.seen().pop().expect("a request reached the upstream")
    }

    /// How many requests are under way.
    pub fn active(&self) -> usize {
        self.shared.active.load(Ordering::SeqCst)
    }

    pub fn release(&self) {
        self.shared.release.notify_waiters();
    }

    /// The moment by which `/v1/stream` dates its events.
    pub fn epoch(&self) -> Instant {
        self.shared.epoch
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let active = Active::begin(&shared);
    let (parts, body) = request.into_parts();
    let place = {
        let mut seen = shared.seen.lock().expect("not poisoned");
        seen.push(Seen {
            target: parts.uri.to_string(),
            version: parts.version,
            headers: parts.headers,
            body_bytes: 0,
        });
        seen.len() - 1
    };
    let mut chunks = body.into_data_stream();
    while let Some(Ok(chunk)) = chunks.next().await {
        shared.seen.lock().expect("not poisoned")[place].body_bytes += chunk.len() as u64;
    }
    match parts.uri.path() {
        "/v1/slow" => {
            shared.release.notified().await;
            StatusCode::OK.into_response()
        }
        "/v1/stream" => events(active, shared.epoch),
        "/v1/download" => {
            let chunks = stream::repeat(Bytes::from(vec![7; 1024 * 1024])).take(512);
            Body::from_stream(chunks.map(Ok::<_, std::io::Error>)).into_response()
        }
        "/v1/cookie" => {
            let headers = [
                ("set-cookie", "keygate_session=planted"),
                ("x-plain", "passes"),
            ];
            (headers, "ok").into_response()
        }
        _ => Json(serde_json::json!({"ok": true})).into_response(),
    }
}

/// An event at once and then one every 20 ms, each with the microseconds since `epoch`.
fn events(active: Active, epoch: Instant) -> Response {
    let ticks = tokio::time::interval(Duration::from_millis(20));
    let events = stream::unfold((ticks, active), move |(mut ticks, active)| async move {
        ticks.tick().await;
        let event = format!("data: {}\n\n", epoch.elapsed().as_micros());
        Some((Ok::<_, std::io::Error>(Bytes::from(event)), (ticks, active)))
    });
    let headers = [("content-type", "text/event-stream")];
    (headers, Body::from_stream(events)).into_response()
}
