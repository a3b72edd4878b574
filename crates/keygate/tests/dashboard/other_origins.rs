//! Web pages that use the API from a browser.

use axum::{Router, response::Html, routing::get};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    browser::{Browser, Options},
    support::{Account, Echo, Program, Spawn, Upstream},
};

/// A page of an origin of its own.
async fn page() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().route("/", get(async || Html("<!doctype html><title>App</title>")));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// What a page sees of the answer to a call: its status, whether it has a request id, and its text.
const CALL: &str = "
const call = async (path, options) => {
  try {
    const answer = await fetch(BASE + path, options);
    return [answer.status, answer.headers.has('x-request-id'), await answer.text()];
  } catch (error) {
    return error.name;
  }
};
const bearer = (key) => ({ headers: { authorization: `Bearer ${key}` } });
";

/// Whether a page reads events of a stream as they come, one or several at a time.
const STREAM: &str = "
const answer = await fetch(BASE + '/v1/stream', bearer(KEY));
const reader = answer.body.getReader();
let events = 0;
while (events < 3) {
  const { value } = await reader.read();
  events += new TextDecoder().decode(value).split('\\n\\n').length - 1;
}
await reader.cancel();
return events >= 3;
";

struct Page<'a> {
    browser: &'a Browser,
    api: &'a str,
    key: &'a str,
}

impl Page<'_> {
    async fn run(&self, script: &str) -> Value {
        let script = format!("return (async () => {{ {CALL} {script} }})();");
        let script = script.replace("BASE", &json!(self.api).to_string());
        let script = script.replace("KEY", &json!(self.key).to_string());
        self.browser.script(&script).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_allowed_origins_call_and_read_errors_and_streams_and_no_others_do() {
    let (app, stranger) = (page().await, page().await);
    let upstream = Upstream::start().await;
    let program = Program::start(Spawn {
        upstream: Some(upstream.url()),
        config: Some(format!("[cors]\norigins = [\"{app}\"]\n")),
        ..Spawn::default()
    });
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["chat", "read"]).await;
    let browser = Browser::open(&app, Options::default()).await;
    let page = Page {
        browser: &browser,
        api: &program.url,
        key: &key,
    };
    browser.goto("/").await;
    let answered = page.run("return call('/v1/models', bearer(KEY));").await;
    assert_eq!(answered, json!([200, true, "{\"ok\":true}"]));
    let asked = "return call('/v1/chat/completions', { method: 'POST', body: '{}', headers: {
        ...bearer(KEY).headers, 'content-type': 'application/json', 'x-stainless-os': 'Linux' } });";
    assert_eq!(page.run(asked).await[0], 200);
    let refused = page
        .run("return call('/v1/models', bearer('wrong'));")
        .await;
    assert_eq!((&refused[0], &refused[1]), (&json!(401), &json!(true)));
    assert!(
        refused[2].to_string().contains("invalid_api_key"),
        "{refused}"
    );
    let nowhere = page.run("return call('/v1/v1/models', bearer(KEY));").await;
    assert_eq!(nowhere[0], 404);
    assert_eq!(page.run(STREAM).await, true);
    let with_cookies = "return call('/v1/models', { ...bearer(KEY), credentials: 'include' });";
    assert_eq!(page.run(with_cookies).await, "TypeError");
    let managed = page.run("return call('/api/keys', {});").await;
    assert_eq!(managed, "TypeError", "that is for keygate's own pages");
    browser.goto(&stranger).await;
    let calls = upstream.seen().len();
    let answered = page.run("return call('/v1/models', bearer(KEY));").await;
    assert_eq!(answered, "TypeError");
    assert_eq!(upstream.seen().len(), calls, "it was not even asked");
}

/// What a page gets back for a message, and the subprotocol that was chosen.
const SOCKET: &str = "
const socket = new WebSocket(BASE.replace('http', 'ws') + '/v1/realtime',
  ['realtime', 'openai-insecure-api-key.' + KEY]);
const events = (name) => new Promise((resolve) => socket.addEventListener(name, resolve));
await Promise.race([events('open'), events('close')]);
if (socket.readyState !== WebSocket.OPEN) { return 'refused'; }
const answer = events('message');
socket.send('hello');
return [socket.protocol, (await answer).data];
";

#[tokio::test(flavor = "multi_thread")]
async fn a_page_opens_a_socket_with_its_key_as_a_subprotocol() {
    let echo = Echo::start().await;
    let program = Program::with_upstream(&echo.url);
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["chat"]).await;
    let browser = Browser::open(&page().await, Options::default()).await;
    browser.goto("/").await;
    let page = |key| Page {
        browser: &browser,
        api: &program.url,
        key,
    };
    assert_eq!(page(&key).run(SOCKET).await, json!(["realtime", "hello"]));
    assert_eq!(page("wrong").run(SOCKET).await, "refused");
}
