//! What must hold behind every proxy.

use std::fmt::Debug;

use futures_util::{SinkExt, StreamExt};
use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL},
};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use crate::{
    credentials,
    support::{Account, Echo, LANES, Program, Proxy, Spawn, Upstream},
};

/// keygate and an API, before a proxy joins them.
pub struct World {
    pub upstream: Upstream,
    pub program: Program,
    account: Account,
    client: Client,
}

const CONFIG: &str =
    "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n[ext_authz]\nlisten = \"127.0.0.1:0\"\n";

impl World {
    pub async fn new() -> Self {
        let upstream = Upstream::start().await;
        let program = Program::start(Spawn {
            config: Some(CONFIG.to_owned()),
            upstream: Some(upstream.url()),
            ..Spawn::default()
        });
        Self {
            upstream,
            account: Account::create(&program).await,
            program,
            client: Client::new(),
        }
    }

    /// keygate itself before the API: over HTTP/1.1 in both lanes, and over HTTP/2.
    pub async fn credentials_hold_at_the_gateway(&self) {
        let over_http2 = Client::builder().http2_prior_knowledge().build();
        let over_http2 = over_http2.expect("a client");
        let [express, library] = LANES.map(|lane| (&self.client, Some(("connection", lane))));
        for (client, more) in [express, library, (&over_http2, None)] {
            let (url, account) = (&self.program.url, &self.account);
            credentials::are_taken_and_kept(url, client, more, account, &self.upstream).await;
        }
    }

    /// Where keygate listens, as address and port.
    pub fn keygate(&self) -> String {
        self.program.url.replace("http://", "")
    }

    /// Where keygate answers Envoy.
    pub fn ext_authz(&self) -> String {
        let mut greeting = self.program.greeting.lines();
        let line = greeting.find_map(|line| line.split_once("ext_authz is answered on "));
        let (_, address) = line.expect("it says so");
        address.to_owned()
    }

    /// Everything that must hold behind the proxy that is started before an API at an address.
    pub async fn holds_behind(mut self, start: impl Fn(&Self, &str) -> Proxy) {
        let echo = Echo::start().await;
        let before_echo = start(&self, echo.url.trim_start_matches("http://"));
        self.sockets_pass_by_their_scope(&before_echo, &echo).await;
        let proxy = &start(&self, &self.upstream.address.to_string());
        self.good_key_passes_with_its_identity(proxy).await;
        self.bad_keys_are_refused(proxy).await;
        self.missing_scope_is_refused(proxy).await;
        self.credentials_are_taken_and_kept(proxy).await;
        self.overrides_do_not_reach_the_api(proxy).await;
        self.identity_cannot_be_spoofed(proxy).await;
        self.original_request_cannot_be_spoofed(proxy).await;
        self.encoded_path_is_the_one_that_was_authorised(proxy)
            .await;
        self.revoked_key_is_refused_at_once(proxy).await;
        self.nothing_passes_without_keygate(proxy).await;
    }

    async fn good_key_passes_with_its_identity(&self, proxy: &Proxy) {
        let (id, key) = self.account.key(&["read", "chat"]).await;
        let post = self
            .client
            .post(format!("{}/v1/chat/completions?a=b", proxy.url));
        let request = post
            .bearer_auth(&key)
            .header("cookie", "session=secret")
            .body("hello");
        assert_eq!(send(request).await.status(), 200);
        let seen = self.upstream.last_seen();
        assert_eq!(seen.target, "/v1/chat/completions?a=b");
        assert_eq!(seen.body_bytes, 5);
        assert_identity(&seen.headers, &id, "chat read");
        for name in ["authorization", "cookie"] {
            assert!(!seen.headers.contains_key(name), "{name} reached the API");
        }
        assert!(seen.headers.contains_key("x-request-id"));
    }

    async fn sockets_pass_by_their_scope(&self, proxy: &Proxy, echo: &Echo) {
        let mut keys = Vec::new();
        for scopes in [&["chat"][..], &["read"], &["write"], &["read", "write"]] {
            keys.push(self.account.key(scopes).await);
        }
        let [(id, key), (_, reader), (_, writer), (_, both)] = &keys[..] else {
            panic!("four keys");
        };
        let request = |path: &str, key: &str| {
            let url = format!("{}{path}", proxy.url.replace("http", "ws"));
            let mut request = url.into_client_request().expect("a URL");
            let bearer = HeaderValue::try_from(format!("Bearer {key}")).expect("plain");
            request.headers_mut().insert(AUTHORIZATION, bearer);
            request
        };
        let open = async |path: &str, key: &str| connect_async(request(path, key)).await;
        let (mut socket, _) = open("/v1/realtime", key).await.expect("it opens");
        socket.send(Message::text("hello")).await.expect("sent");
        let said = socket.next().await.expect("an answer").expect("a message");
        assert_eq!(said, Message::text("hello"));
        let asked = echo.last_asked();
        assert_identity(&asked, id, "chat");
        assert!(!asked.contains_key(AUTHORIZATION));
        open("/v1/files", both).await.expect("it opens");
        for (path, key, status) in [
            ("/v1/realtime", "sk-something", 401),
            ("/v1/realtime", reader, 403),
            ("/v1/files", key, 403),
            // An API that opens no socket answers as to a GET.
            ("/v1/files", writer, 403),
        ] {
            assert_eq!(status_of(open(path, key).await), status, "{path}");
        }
        let mut with_key = request("/v1/realtime", key);
        let offered = format!("realtime, openai-insecure-api-key.{key}");
        let offered = HeaderValue::try_from(offered).expect("plain");
        with_key
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, offered);
        assert_eq!(status_of(connect_async(with_key).await), 401);
        for (id, _) in &keys {
            assert_eq!(self.account.delete(id).await.status(), 200);
        }
    }

    async fn bad_keys_are_refused(&self, proxy: &Proxy) {
        let before = self.upstream.seen().len();
        let never_issued = "ask_a1b2C3d4E5f6G7h8J9k0L1m2N30T4WGS";
        for (key, challenge) in [
            (
                Some(never_issued),
                "Bearer realm=\"keygate\", error=\"invalid_token\"",
            ),
            (
                Some("sk-something"),
                "Bearer realm=\"keygate\", error=\"invalid_token\"",
            ),
            (None, "Bearer realm=\"keygate\""),
        ] {
            let mut request = self.get(proxy, "/v1/models");
            if let Some(key) = key {
                request = request.bearer_auth(key);
            }
            let refused = send(request).await;
            assert_eq!(refused.headers()["www-authenticate"], challenge);
            assert_refused(refused, 401, "invalid_api_key").await;
        }
        assert_eq!(self.upstream.seen().len(), before);
    }

    async fn missing_scope_is_refused(&self, proxy: &Proxy) {
        let (_, key) = self.account.key(&["chat"]).await;
        let refused = send(self.get(proxy, "/v1/models").bearer_auth(&key)).await;
        assert_eq!(
            refused.headers()["www-authenticate"],
            "Bearer realm=\"keygate\", error=\"insufficient_scope\", scope=\"read\""
        );
        assert_refused(refused, 403, "insufficient_scope").await;
    }

    async fn credentials_are_taken_and_kept(&self, proxy: &Proxy) {
        let (url, account) = (&proxy.url, &self.account);
        credentials::are_taken_and_kept(url, &self.client, None, account, &self.upstream).await;
    }

    async fn overrides_do_not_reach_the_api(&self, proxy: &Proxy) {
        let (_, key) = self.account.key(&["read"]).await;
        for name in [
            "x-http-method-override",
            "x-http-method",
            "x-method-override",
            "x-rewrite-url",
        ] {
            let request = self.get(proxy, "/v1/models").bearer_auth(&key);
            assert_eq!(send(request.header(name, "DELETE")).await.status(), 200);
            let seen = self.upstream.last_seen();
            assert!(!seen.headers.contains_key(name), "{name} reached the API");
        }
    }

    async fn identity_cannot_be_spoofed(&self, proxy: &Proxy) {
        let (id, key) = self.account.key(&["read"]).await;
        let request = self.get(proxy, "/v1/models").bearer_auth(&key);
        let request = request
            .header("x-keygate-key-id", "spoofed")
            .header("X-Keygate-Key-Id", "spoofed")
            .header("x_keygate_key_id", "spoofed")
            .header("x-keygate_account-id", "spoofed")
            .header("x-keygate-scopes", "admin")
            .header("connection", "x-keygate-key-id, x-keygate-scopes");
        assert_eq!(send(request).await.status(), 200);
        assert_identity(&self.upstream.last_seen().headers, &id, "read");
    }

    async fn original_request_cannot_be_spoofed(&self, proxy: &Proxy) {
        let (_, key) = self.account.key(&["chat"]).await;
        let before = self.upstream.seen().len();
        let url = "https://api.example.com/v1/chat/completions";
        for spoofed in [
            &[
                ("x-original-method", "POST"),
                ("x-original-uri", "/v1/chat/completions"),
            ] as &[_],
            &[("x-original-method", "POST"), ("x-original-url", url)],
            &[
                ("x-forwarded-method", "POST"),
                ("x-forwarded-uri", "/v1/chat/completions"),
            ],
            &[
                ("x-http-method-override", "POST"),
                ("x-rewrite-url", "/v1/chat/completions"),
            ],
            &[("x-envoy-original-path", "/v1/chat/completions")],
        ] {
            let mut request = self.get(proxy, "/v1/files").bearer_auth(&key);
            for (name, value) in spoofed {
                request = request.header(*name, *value);
            }
            let refused = send(request).await;
            assert_eq!(refused.status(), 403, "{spoofed:?}");
        }
        assert_eq!(self.upstream.seen().len(), before);
    }

    async fn encoded_path_is_the_one_that_was_authorised(&self, proxy: &Proxy) {
        let (_, key) = self.account.key(&["read"]).await;
        let request = self
            .get(proxy, "/v1/models/org%2Fname?x=1")
            .bearer_auth(&key);
        assert_eq!(send(request).await.status(), 200);
        assert_eq!(
            self.upstream.last_seen().target,
            "/v1/models/org%2Fname?x=1"
        );
    }

    async fn revoked_key_is_refused_at_once(&self, proxy: &Proxy) {
        let (id, key) = self.account.key(&["read"]).await;
        assert_eq!(
            send(self.get(proxy, "/v1/models").bearer_auth(&key))
                .await
                .status(),
            200
        );
        assert_eq!(self.account.delete(&id).await.status(), 200);
        let refused = send(self.get(proxy, "/v1/models").bearer_auth(&key)).await;
        assert_refused(refused, 401, "invalid_api_key").await;
    }

    async fn nothing_passes_without_keygate(&mut self, proxy: &Proxy) {
        let (_, key) = self.account.key(&["read"]).await;
        let get = || self.get(proxy, "/v1/models").bearer_auth(&key);
        assert_eq!(send(get()).await.status(), 200);
        let before = self.upstream.seen().len();
        let request = get();
        self.program.kill();
        assert_eq!(send(request).await.status(), 503);
        assert_eq!(self.upstream.seen().len(), before);
    }

    fn get(&self, proxy: &Proxy, target: &str) -> RequestBuilder {
        self.client.get(format!("{}{target}", proxy.url))
    }
}

/// The status with which a socket is refused.
fn status_of<T: Debug>(refused: Result<T, Error>) -> u16 {
    match refused {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("it was not refused: {other:?}"),
    }
}

async fn send(request: RequestBuilder) -> Response {
    request.send().await.expect("an answer")
}

/// The refusal is the contract's, as keygate gave it.
async fn assert_refused(response: Response, status: u16, code: &str) {
    assert_eq!(response.status(), status);
    assert!(response.headers().contains_key("x-request-id"));
    assert_eq!(response.headers()["content-type"], "application/json");
    let body: Value = response.json().await.expect("JSON");
    assert_eq!(body["error"]["code"], code, "{body}");
}

/// The identity stands there once, in one spelling.
fn assert_identity(headers: &HeaderMap, key_id: &str, scopes: &str) {
    let ours = |name: &str| name.replace(['_', '.'], "-").starts_with("x-keygate");
    let mut names: Vec<_> = headers.keys().filter(|name| ours(name.as_str())).collect();
    names.sort_unstable_by_key(|name| name.as_str());
    assert_eq!(
        names,
        [
            "x-keygate-account-id",
            "x-keygate-key-id",
            "x-keygate-scopes"
        ]
    );
    for (name, expected) in [("x-keygate-key-id", key_id), ("x-keygate-scopes", scopes)] {
        let values: Vec<_> = headers.get_all(name).iter().collect();
        assert_eq!(values, [expected], "{name}");
    }
    assert_eq!(headers["x-keygate-account-id"].len(), 36);
}
