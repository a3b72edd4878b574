//! Traces, as a receiver made of OpenTelemetry's own protocol gets them, and what ties them to the log.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use futures_util::stream;
use reqwest::{Body, Client, Method, RequestBuilder, Response};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    python::python,
    support::{Account, Program, Proxy, Spawn, Upstream, eventually, free_port},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

const SERVER: u64 = 2;
const CLIENT: u64 = 3;
const ERROR: u64 = 2;

/// What takes the spans.
struct Receiver {
    process: Proxy,
    folder: TempDir,
}

impl Receiver {
    fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let spans = folder.path().join("spans");
        let process = Proxy::start(|_, port| {
            let mut command = python("otlp_receiver.py", "opentelemetry-proto grpcio");
            command.arg(port.to_string()).arg(spans);
            command
        });
        Self { process, folder }
    }

    fn spans(&self) -> Vec<Value> {
        let lines = std::fs::read_to_string(self.folder.path().join("spans"));
        let lines = lines.unwrap_or_default();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }
}

/// A program whose spans are received.
struct World {
    receiver: Receiver,
    upstream: Upstream,
    program: Program,
    account: Account,
    key: String,
}

impl World {
    /// A program that believes what its callers say of traces.
    async fn start() -> Self {
        Self::configured("believe = \"anybody\"\n", None).await
    }

    /// With this in its configuration besides, and this upstream in place of one that answers.
    async fn configured(config: &str, upstream_url: Option<String>) -> Self {
        let receiver = tokio::task::spawn_blocking(Receiver::start).await;
        let receiver = receiver.expect("it starts");
        let upstream = Upstream::start().await;
        let endpoint = &receiver.process.url;
        let program = Program::start(Spawn {
            upstream: Some(upstream_url.unwrap_or_else(|| upstream.url())),
            config: Some(format!(
                "[traces]\notlp_endpoint = \"{endpoint}\"\n{config}"
            )),
            ..Spawn::default()
        });
        let account = Account::create(&program).await;
        let (_, key) = account.key(&["read", "chat"]).await;
        Self {
            receiver,
            upstream,
            program,
            account,
            key,
        }
    }

    /// A request to the data plane, with the key.
    fn request(&self, lane: Lane) -> RequestBuilder {
        lane.request(&self.program.url, &self.key)
    }

    /// All spans, once the program has ended, which sends the last of them.
    fn spans(&mut self) -> Spans {
        assert!(self.program.terminate().success());
        Spans(self.receiver.spans())
    }
}

/// The ways that a request can take through the gateway.
#[derive(Debug, Clone, Copy)]
enum Lane {
    Express,
    Chunked,
    Http2,
}

const LANES: [Lane; 3] = [Lane::Express, Lane::Chunked, Lane::Http2];

impl Lane {
    fn request(self, url: &str, key: &str) -> RequestBuilder {
        let client = match self {
            Self::Http2 => Client::builder().http2_prior_knowledge().build(),
            _ => Client::builder().build(),
        };
        let request = client
            .expect("a client")
            .post(format!("{url}/v1/chat/completions"))
            .bearer_auth(key);
        match self {
            Self::Chunked => {
                let pieces = stream::iter([Ok::<_, std::io::Error>("{}")]);
                request.body(Body::wrap_stream(pieces))
            }
            _ => request.body("{}"),
        }
    }
}

struct Spans(Vec<Value>);

impl Spans {
    /// The one span of this kind about the request with this id, or within its span.
    fn of(&self, id: &str) -> &Value {
        let is_meant = |span: &&Value| span["attributes"]["keygate.request_id"] == id;
        let mut found = self.0.iter().filter(is_meant);
        let first = found.next().expect("a span with this request's id");
        assert!(found.next().is_none(), "there is one for each request");
        assert_eq!(first["kind"], SERVER);
        first
    }

    fn below(&self, parent: &Value) -> Vec<&Value> {
        let spans = self.0.iter();
        spans
            .filter(|span| span["parent_id"] == parent["span_id"])
            .collect()
    }
}

fn id_of(answer: &Response) -> String {
    let id = answer.headers()["x-request-id"].to_str();
    id.expect("plain").to_owned()
}

async fn send(request: RequestBuilder, status: u16) -> String {
    let answer = request.send().await.expect("it answers");
    assert_eq!(answer.status(), status);
    let id = id_of(&answer);
    answer.bytes().await.expect("a whole answer");
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_trace_goes_on_to_the_upstream() {
    let mut world = World::start().await;
    let mut sent = Vec::new();
    for lane in LANES {
        let request = world
            .request(lane)
            .header("traceparent", TRACEPARENT)
            .header("tracestate", "vendor=1")
            .header("baggage", "user=7");
        let id = send(request, 200).await;
        sent.push((lane, id, world.upstream.last_seen().headers));
    }
    let spans = world.spans();
    for (lane, id, headers) in sent {
        let server = spans.of(&id);
        assert_eq!(server["name"], "POST /v1", "{lane:?}");
        assert_eq!(server["trace_id"], TRACE);
        assert_eq!(server["parent_id"], CALLER);
        assert_eq!(server["trace_state"], "vendor=1");
        let attributes = &server["attributes"];
        assert_eq!(attributes["http.request.method"], "POST");
        assert_eq!(attributes["http.route"], "/v1");
        assert_eq!(attributes["url.path"], "/v1/chat/completions");
        assert_eq!(attributes["http.response.status_code"], 200);
        assert_eq!(attributes.get("error.type"), None);
        assert_eq!(server["resource"]["service.name"], "keygate");
        let [client] = spans.below(server)[..] else {
            panic!("not one span within the request's: {lane:?}");
        };
        assert_eq!(client["kind"], CLIENT);
        assert_eq!(client["trace_id"], TRACE);
        assert_eq!(client["attributes"]["http.response.status_code"], 200);
        let full = client["attributes"]["url.full"].as_str().expect("a text");
        assert!(full.ends_with("/v1/chat/completions"), "{full}");
        let told = headers.get_all("traceparent").iter().collect::<Vec<_>>();
        let span = client["span_id"].as_str().expect("a text");
        assert_eq!(told, [&format!("00-{TRACE}-{span}-01")], "{lane:?}");
        assert_eq!(headers["tracestate"], "vendor=1");
        assert_eq!(headers["baggage"], "user=7");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_ends_here_and_is_no_error() {
    let mut world = World::start().await;
    let mut ids = Vec::new();
    for lane in LANES {
        let request = lane.request(&world.program.url, "no key at all");
        ids.push(send(request, 401).await);
    }
    let spans = world.spans();
    for id in ids {
        let span = spans.of(&id);
        assert_eq!(span["name"], "POST /v1");
        assert_eq!(span["parent_id"], "");
        assert_eq!(span["attributes"]["http.response.status_code"], 401);
        assert_eq!(
            span["status"], 0,
            "what a client does wrong is no error here"
        );
        assert!(spans.below(span).is_empty(), "nobody was asked");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_the_management_api_has_its_template() {
    let mut world = World::start().await;
    let (key, _) = world.account.key(&["read"]).await;
    let shown = world.account.call(Method::GET, &format!("/api/keys/{key}"));
    let shown = send(shown.header("traceparent", TRACEPARENT), 200).await;
    let nowhere = send(world.account.call(Method::GET, "/api/nowhere"), 404).await;
    let spans = world.spans();
    let shown = spans.of(&shown);
    assert_eq!(shown["name"], "GET /api/keys/{id}");
    assert_eq!(shown["parent_id"], CALLER);
    assert_eq!(shown["attributes"]["http.route"], "/api/keys/{id}");
    assert_eq!(spans.of(&nowhere)["name"], "GET", "where there is no route");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxys_question_is_within_its_trace() {
    let config = "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let mut world = World::configured(config, None).await;
    let mut ids = Vec::new();
    for client in [Client::builder(), Client::builder().http2_prior_knowledge()] {
        let client = client.build().expect("a client");
        let question = client
            .get(format!("{}/verify", world.program.url))
            .bearer_auth(&world.key)
            .header("x-original-method", "GET")
            .header("x-original-uri", "/v1/models")
            .header("traceparent", TRACEPARENT);
        ids.push(send(question, 200).await);
    }
    let spans = world.spans();
    for id in ids {
        let span = spans.of(&id);
        assert_eq!(span["name"], "GET /verify");
        assert_eq!(span["parent_id"], CALLER);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_begins_here_is_kept_by_the_ratio_and_others_as_their_caller_says() {
    let mut world = World::configured("sample_ratio = 0.0\nbelieve = \"anybody\"\n", None).await;
    let dropped = world.request(Lane::Express);
    send(dropped, 200).await;
    let told = world.upstream.last_seen().headers;
    let told = told["traceparent"].to_str().expect("plain");
    assert!(told.ends_with("-00"), "the upstream drops it too: {told}");
    let kept = world.request(Lane::Express);
    let kept = send(kept.header("traceparent", TRACEPARENT), 200).await;
    let spans = world.spans();
    let kept = spans.of(&kept);
    assert_eq!(spans.below(kept).len(), 1);
    assert_eq!(spans.0.len(), 2, "only what the caller keeps");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_say_neither_which_trace_a_request_belongs_to_nor_that_it_is_kept() {
    let trusted = "sample_ratio = 0.0\n[server]\ntrusted_proxies = [\"127.0.0.1\"]\n";
    for (config, is_believed) in [("sample_ratio = 0.0\n", false), (trusted, true)] {
        let mut world = World::configured(config, None).await;
        for lane in LANES {
            let request = world.request(lane).header("traceparent", TRACEPARENT);
            send(request.header("tracestate", "vendor=1"), 200).await;
            let told = world.upstream.last_seen().headers;
            let parent = told["traceparent"].to_str().expect("plain");
            assert_eq!(parent.contains(TRACE), is_believed, "{lane:?} {parent}");
            assert_eq!(parent.ends_with("-01"), is_believed, "{lane:?} {parent}");
            assert_eq!(told.contains_key("tracestate"), is_believed, "{lane:?}");
        }
        let shown = world.account.call(Method::GET, "/api/keys");
        send(shown.header("traceparent", TRACEPARENT), 200).await;
        let kept = world.spans().0.len();
        // Each lane's, what its upstream was asked, and the call of the management API.
        assert_eq!(kept, if is_believed { 2 * LANES.len() + 1 } else { 0 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_traces_what_the_client_says_of_its_own_passes() {
    let upstream = Upstream::start().await;
    let program = Program::with_upstream(&upstream.url());
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["chat"]).await;
    for lane in LANES {
        let request = lane
            .request(&program.url, &key)
            .header("traceparent", TRACEPARENT)
            .header("tracestate", "vendor=1");
        send(request, 200).await;
        let headers = upstream.last_seen().headers;
        assert_eq!(headers["traceparent"], TRACEPARENT, "{lane:?}");
        assert_eq!(headers["tracestate"], "vendor=1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_changes_nothing() {
    let upstream = Upstream::start().await;
    let mut program = Program::start(Spawn {
        upstream: Some(upstream.url()),
        config: Some(format!(
            "[traces]\notlp_endpoint = \"http://127.0.0.1:{}\"\n",
            free_port()
        )),
        env: vec![("OTEL_BSP_SCHEDULE_DELAY".into(), "50".into())],
        ..Spawn::default()
    });
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["chat"]).await;
    let warning = "traces do not reach the collector";
    eventually("the log says so", async || {
        for lane in LANES {
            send(lane.request(&program.url, &key), 200).await;
        }
        program.log().contains(warning)
    })
    .await;
    for _ in 0..100 {
        send(Lane::Express.request(&program.url, &key), 200).await;
    }
    let began = Instant::now();
    assert!(program.terminate().success());
    assert!(began.elapsed() < Duration::from_secs(10), "a bound on time");
    let log = program.log();
    assert_eq!(log.matches(warning).count(), 1, "no flood: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_stands_in_a_span() {
    let mut world = World::start().await;
    let (url, key) = (world.program.url.clone(), world.key.clone());
    let mut ids = Vec::new();
    for lane in LANES {
        let request = world
            .request(lane)
            .header("traceparent", TRACEPARENT)
            .header("tracestate", format!("vendor={key}"))
            .header("x-request-id", &key)
            .header("user-agent", &key)
            .header("referer", format!("{url}/{key}"));
        ids.push(send(request, 401).await);
    }
    let client = Client::new();
    let method = Method::from_bytes(key.as_bytes()).expect("a word");
    for path in [
        // The cut goes through it.
        format!("/v1/{}{key}", "x".repeat(1_010)),
        format!("/v1/{}", "x".repeat(8_000)),
        format!("/v1/{key}"),
        format!("/v1/models?key={key}"),
        format!("/v1/%61{}", &key[1..]),
        format!("/api/keys/{key}"),
        format!("/{key}"),
    ] {
        for method in [&Method::GET, &method] {
            let request = client.request(method.clone(), format!("{url}{path}"));
            let answer = request.bearer_auth(&key).send().await;
            ids.push(id_of(&answer.expect("it answers")));
        }
    }
    let spans = world.spans();
    for id in ids {
        spans.of(&id);
    }
    let secret = &key[key.len() - 20..];
    for span in &spans.0 {
        let all = span.to_string();
        assert!(!all.contains(secret), "{all}");
        assert!(all.len() < 4_096, "{all}");
    }
}

/// The lines of the log about this request, as JSON.
fn lines_about(log: &str, id: &str) -> Vec<HashMap<String, Value>> {
    let lines = log.lines().filter(|line| line.contains(id));
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_stands_in_the_answer_the_log_and_the_span() {
    let away = format!("http://127.0.0.1:{}", free_port());
    let mut world = World::configured("", Some(away)).await;
    let mut ids = Vec::new();
    for lane in LANES {
        ids.push(send(world.request(lane), 502).await);
    }
    let spans = world.spans();
    let log = world.program.log();
    for id in ids {
        let [line] = &lines_about(&log, &id)[..] else {
            panic!("not one line about {id}: {log}");
        };
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["request_id"], *id);
        assert_eq!(line["code"], "upstream_unreachable");
        let cause = line["cause"].as_str().expect("a text");
        assert!(cause.contains("onnection refused"), "{cause}");
        let span = spans.of(&id);
        assert_eq!(span["status"], ERROR);
        assert_eq!(span["attributes"]["error.type"], "upstream_unreachable");
        assert_eq!(span["attributes"]["http.response.status_code"], 502);
        let below = spans.below(span);
        assert_eq!(below.len(), 1);
        assert_eq!(below[0]["attributes"]["error.type"], "upstream_unreachable");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_the_management_api_is_logged_with_its_id() {
    let program = Program::start(Spawn {
        config: Some("[server]\ndrain_delay = \"1h\"\n".into()),
        ..Spawn::default()
    });
    program.signal("TERM");
    let client = Client::new();
    let mut id = String::new();
    eventually("it says that it is over", async || {
        let asked = client.get(format!("{}/readyz", program.url)).send().await;
        let asked = asked.expect("it answers");
        id = id_of(&asked);
        asked.status() == 503
    })
    .await;
    let [line] = &lines_about(&program.log(), &id)[..] else {
        panic!("not one line about {id}: {}", program.log());
    };
    assert_eq!(line["code"], "overloaded");
    assert_eq!(line["request_id"], *id);
}
