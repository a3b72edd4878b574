//! Canaries: a key, a password, a session token and the tokens of one-time links through every route,
//! logged at TRACE.

use std::path::Path;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::{Account, EMAIL, Metrics, PASSWORD, Program, Spawn, Upstream};

/// No 12 characters in a row of a canary may be anywhere.
const PART: usize = 12;

struct Canary {
    name: &'static str,
    text: String,
}

impl Canary {
    fn found_in(&self, bytes: &[u8]) -> bool {
        let parts: std::collections::HashSet<&[u8]> = self.text.as_bytes().windows(PART).collect();
        bytes.windows(PART).any(|window| parts.contains(window))
    }
}

fn assert_clean(canaries: &[Canary], bytes: &[u8], place: &str) {
    for canary in canaries {
        assert!(!canary.found_in(bytes), "the {} is in {place}", canary.name);
    }
}

fn assert_files_clean(canaries: &[Canary], folder: &Path) {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            assert_files_clean(canaries, &path);
        }
        // Sockets cannot be read, and hold nothing.
        if let Ok(bytes) = std::fs::read(&path) {
            assert_clean(canaries, &bytes, &path.display().to_string());
            files += 1;
        }
    }
    assert!(files >= 1, "no file was looked at");
}

/// What is sent along: JSON, or a form as an object of texts.
enum Body {
    Nothing,
    Json(Value),
    Form(Value),
}

type Call = (Method, String, Body, u16);

/// Calls with canaries in every place, and the status that each is answered with.
fn calls(id: &str, key: &str, [link, reset]: [&str; 2], token: &str) -> Vec<Call> {
    let get = |path: &str, status| (Method::GET, path.to_owned(), Body::Nothing, status);
    let send =
        |method, path: &str, body, status| (method, path.to_owned(), Body::Json(body), status);
    let form = |path: &str, fields, status| {
        let body = Body::Form(fields);
        (Method::POST, path.to_owned(), body, status)
    };
    let page = format!("/keys/{id}");
    let key_path = format!("/api/keys/{id}");
    let odd = json!({"name": {"key": key}, "password": PASSWORD});
    let sign_in = json!({"email": EMAIL, "password": PASSWORD});
    let wrong = json!({"email": PASSWORD, "password": key});
    let sign_up = json!({"email": EMAIL, "password": PASSWORD, "invitation": token});
    let used = json!({"email": EMAIL, "password": PASSWORD, "invitation": link});
    vec![
        get("/healthz", 200),
        get("/readyz", 200),
        get("/assets/keygate.css", 200),
        // It is used already.
        get(&format!("/signup?token={link}"), 403),
        form(
            "/signup",
            json!({"token": link, "email": EMAIL, "password": PASSWORD}),
            403,
        ),
        get(&format!("/reset-password?token={reset}"), 200),
        form(
            "/reset-password",
            json!({"token": reset, "password": "password1234"}),
            400,
        ),
        form("/signin", json!({"email": EMAIL, "password": key}), 401),
        form(
            "/signin",
            json!({"email": EMAIL, "password": PASSWORD}),
            303,
        ),
        form(
            "/reset-password",
            json!({"token": token, "password": PASSWORD}),
            400,
        ),
        get("/keys", 200),
        get("/keys/new", 200),
        form("/keys/new", json!({"name": "x", "password": PASSWORD}), 400),
        get(&page, 200),
        form(
            &page,
            json!({"do": "change", "name": "x", "scopes": "read"}),
            303,
        ),
        form(&page, json!({"do": "change", "name": ""}), 400),
        get("/account", 200),
        form(
            "/account",
            json!({"do": "password", "password": PASSWORD}),
            400,
        ),
        get("/admin/audit", 403),
        get("/api/account/sessions", 200),
        get(&format!("{key_path}/history"), 200),
        get("/api/session", 200),
        get("/api/keys", 200),
        get(&key_path, 200),
        send(Method::PATCH, &key_path, json!({"name": "renamed"}), 200),
        send(Method::PATCH, &key_path, odd.clone(), 400),
        send(Method::POST, "/api/keys", odd, 400),
        send(Method::POST, "/api/session", sign_in, 204),
        send(Method::POST, "/api/session", wrong, 401),
        send(Method::POST, "/api/accounts", sign_up, 403),
        send(Method::POST, "/api/accounts", used, 403),
        send(
            Method::POST,
            "/api/account/password",
            json!({"password": PASSWORD}),
            400,
        ),
        get("/api/nothing", 404),
        (Method::PUT, "/api/keys".into(), Body::Nothing, 405),
        get("/v1/models", 200),
        send(
            Method::POST,
            "/v1/chat/completions",
            json!({"model": "m"}),
            200,
        ),
        (Method::DELETE, "/v1/files/x".into(), Body::Nothing, 200),
        get("/v1//models", 400),
        get(&format!("/v1/{key}"), 401),
        get(&format!("/v1/models?key={key}"), 401),
        get(&format!("/api/keys/{key}"), 404),
        get(&format!("/{key}"), 404),
        (Method::DELETE, key_path, Body::Nothing, 200),
    ]
}

/// The token in the link that a command prints.
fn one_time_token(program: &Program, command: &[&str]) -> String {
    let printed = program.cli(command, "");
    let link = String::from_utf8(printed.stdout).expect("UTF-8");
    let (_, token) = link.trim().split_once("token=").expect("a link");
    token.to_owned()
}

async fn account_id(account: &Account) -> String {
    let session = account.call(Method::GET, "/api/session").send().await;
    let session: Value = session.expect("it answers").json().await.expect("JSON");
    session["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_any_log_answer_or_file() {
    let upstream = Upstream::start().await;
    let mut program = Program::start(Spawn {
        upstream: Some(upstream.url()),
        log: Some("trace".into()),
        metrics: Metrics::Anywhere,
        ..Spawn::default()
    });
    let account = Account::create(&program).await;
    let (_, key) = account.key(&["chat", "read", "write"]).await;
    let (_, token) = account.cookie.split_once('=').expect("a pair");
    let link = program
        .greeting
        .split("/signup?token=")
        .nth(1)
        .expect("a link");
    let reset = one_time_token(&program, &["account", "reset-link", EMAIL]);
    let invitation = one_time_token(&program, &["account", "invite"]);
    let canaries = [
        ("key", &key[8..]),
        ("password", PASSWORD),
        ("session token", token),
        ("set-up token", link.lines().next().expect("a token")),
        ("token for a new password", &reset),
        ("token of an invitation", &invitation),
    ]
    .map(|(name, text)| Canary {
        name,
        text: text.to_owned(),
    });
    let link = &canaries[3].text;

    let client = || Client::builder().redirect(reqwest::redirect::Policy::none());
    let http1 = client().build().expect("a client");
    let http2 = client().http2_prior_knowledge().build().expect("a client");
    let mut identities = Vec::from([EMAIL.to_owned(), account_id(&account).await]);
    for client in [http1, http2] {
        let (id, _) = account.key(&["read"]).await;
        identities.push(id.clone());
        for (method, path, body, status) in calls(&id, &key, [link, &reset], token) {
            let mut request = client.request(method.clone(), format!("{}{path}", program.url));
            request = request.header("cookie", &account.cookie).bearer_auth(&key);
            request = match &body {
                Body::Nothing => request,
                Body::Json(body) => request.json(body),
                Body::Form(fields) => {
                    let fields = fields.as_object().expect("an object").iter();
                    let fields = fields.map(|(name, text)| (name, text.as_str().expect("text")));
                    let encoded = form_urlencoded::Serializer::new(String::new())
                        .extend_pairs(fields)
                        .finish();
                    let form = "application/x-www-form-urlencoded";
                    request.header("content-type", form).body(encoded)
                }
            };
            let answer = request.send().await.expect("it answers");
            let place = format!("the answer to {method} {}", path.replace(&key, "KEY"));
            assert_eq!(answer.status(), status, "{place}");
            let headers = format!("{:?}", answer.headers());
            let body = answer.bytes().await.expect("a body");
            assert_clean(&canaries, headers.as_bytes(), &place);
            // The form carries its token on.
            let has_token = ["/signup", "/reset-password"];
            let canaries = if has_token.iter().any(|form| path.starts_with(form)) {
                &canaries[..3]
            } else {
                &canaries[..]
            };
            assert_clean(canaries, &body, &place);
        }
    }
    let body = json!({"current_password": PASSWORD, "password": "a wholly different set of words"});
    let change = account
        .call(Method::POST, "/api/account/password")
        .json(&body)
        .send();
    assert_eq!(change.await.expect("it answers").status(), 204);
    let sign_out = account.call(Method::DELETE, "/api/session").send().await;
    assert_eq!(
        sign_out.expect("it answers").status(),
        401,
        "that session is over already"
    );

    let identities = identities.into_iter().map(|text| Canary {
        name: "identity",
        text,
    });
    let unbounded: Vec<Canary> = canaries.into_iter().chain(identities).collect();
    for accept in ["*/*", "application/openmetrics-text"] {
        let request = Client::new().get(program.metrics_url());
        let metrics = request.header("accept", accept).send().await;
        let metrics = metrics.expect("it answers").text().await.expect("text");
        assert!(metrics.contains("route=\"/api/keys/{id}\""), "{metrics}");
        assert_clean(&unbounded, metrics.as_bytes(), "the metrics");
    }
    let canaries = &unbounded[..6];

    assert!(!upstream.seen().is_empty());
    for seen in upstream.seen() {
        assert_clean(
            canaries,
            format!("{seen:?}").as_bytes(),
            "a request to the upstream",
        );
    }

    assert_files_clean(canaries, &program.data());
    program.kill();
    assert_files_clean(canaries, &program.data());
    let mut program = program.restart();
    assert!(program.terminate().success());
    assert_files_clean(canaries, &program.data());
    let log = program.log();
    assert!(log.contains("\"level\":\"TRACE\""), "the log is at TRACE");
    assert_clean(canaries, log.as_bytes(), "the log");
}
