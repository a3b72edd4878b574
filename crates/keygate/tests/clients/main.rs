//! Clients' own libraries, through the gateway: a call, a stream, and every refusal as their own exception. What they
//! show makes the table of `docs/clients.md`.

#[path = "../support/mod.rs"]
mod support;

mod api;
mod grpc;
mod lines;
mod sockets;
mod table;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use http::Method;
use keygate_core::{Clock, SystemClock};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::Api,
    support::{Account, EMAIL, Program, Spawn, eventually},
};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// A client's library, and the script that uses it.
struct Client {
    name: &'static str,
    script: &'static str,
    /// Whether it speaks to Ollama's own paths, which are served on a listener of the data plane's own.
    is_ollamas: bool,
}

const fn client(name: &'static str, script: &'static str) -> Client {
    Client {
        name,
        script,
        is_ollamas: false,
    }
}

const CLIENTS: [Client; 11] = [
    client("`openai` (Python)", "openai_python.py"),
    client("`openai` (Node)", "openai_node.mjs"),
    client(
        "`anthropic` (Python), `api_key`",
        "anthropic_python.py api_key",
    ),
    client(
        "`anthropic` (Python), `auth_token`",
        "anthropic_python.py auth_token",
    ),
    client(
        "`anthropic` (Python), from 2024",
        "anthropic_old.py api_key",
    ),
    client("`@anthropic-ai/sdk`, `apiKey`", "anthropic_node.mjs apiKey"),
    client(
        "`@anthropic-ai/sdk`, `authToken`",
        "anthropic_node.mjs authToken",
    ),
    client("`langchain-openai`", "langchain.py"),
    client("`litellm`", "litellm_python.py"),
    client("`ai` with `@ai-sdk/openai-compatible`", "vercel.mjs"),
    Client {
        name: "`ollama` (Python)",
        script: "ollama_python.py",
        is_ollamas: true,
    },
];

/// A call that is refused, or fails.
struct Refusal {
    /// The heading of its column.
    heading: &'static str,
    /// What `keys` calls the key.
    key: &'static str,
    model: &'static str,
    status: u16,
    /// What keygate says.
    message: &'static str,
}

const REFUSALS: [Refusal; 8] = [
    refusal(
        "unknown key",
        "unknown",
        "tiny",
        401,
        "The API key is not valid",
    ),
    refusal("inactive key", "inactive", "tiny", 401, "inactive"),
    refusal("expired key", "expired", "tiny", 401, "expired"),
    refusal("missing scope", "read", "tiny", 403, "scope"),
    refusal("suspended account", "suspended", "tiny", 403, "suspended"),
    refusal("unknown model", "good", "huge", 404, "There is no model"),
    refusal("upstream away", "good", "away", 502, "cannot be reached"),
    refusal(
        "upstream late",
        "good",
        "late",
        504,
        "did not answer in time",
    ),
];

const fn refusal(
    heading: &'static str,
    key: &'static str,
    model: &'static str,
    status: u16,
    message: &'static str,
) -> Refusal {
    Refusal {
        heading,
        key,
        model,
        status,
        message,
    }
}

/// What a script says of its library.
#[derive(Deserialize)]
struct Said {
    version: String,
    call: String,
    stream: String,
    refusals: Vec<Exception>,
}

/// An exception of a client's library, as far as it shows what keygate has said.
#[derive(Debug, Deserialize)]
struct Exception {
    class: String,
    status: Option<u16>,
    message: String,
    request_id: Option<String>,
}

impl Said {
    /// What is not as it has to be.
    fn faults(&self) -> impl Iterator<Item = String> {
        let answers = [("call", &self.call), ("stream", &self.stream)].into_iter();
        let wrong = answers.filter(|(_, answer)| *answer != "Hello there");
        let wrong = wrong.map(|(what, answer)| format!("its {what} is {answer:?}"));
        let are_enough = self.refusals.len() == REFUSALS.len();
        let refusals = REFUSALS.iter().zip(&self.refusals);
        let misread = refusals.filter(|(refusal, exception)| !exception.says(refusal));
        wrong
            .chain((!are_enough).then(|| "not every call was refused".to_owned()))
            .chain(
                misread.map(|(refusal, exception)| format!("{}: {exception:?}", refusal.heading)),
            )
    }
}

impl Exception {
    fn says(&self, refusal: &Refusal) -> bool {
        let id = self.request_id.as_deref();
        self.message.contains(refusal.message)
            && self.status.is_none_or(|status| status == refusal.status)
            && id.is_none_or(|id| id.starts_with("req-"))
    }
}

/// A keygate before upstreams for three models: one that works, one that is away, and one that is late.
async fn program() -> (Program, Api) {
    let api = Api::start().await;
    let mut config = "[gateway]\nlisten = \"127.0.0.1:0\"\n".to_owned();
    for path in ["/v1", "/api"] {
        for (model, url) in [
            ("tiny", &*api.url()),
            ("away", "http://127.0.0.1:1"),
            ("late", &*api.url()),
        ] {
            config.push_str(&format!(
                "[[upstream]]\npath = \"{path}\"\nurl = \"{url}\"\nmodels = [\"{model}\"]\nresponse_timeout = \"1s\"\n"
            ));
        }
    }
    let program = Program::start(Spawn {
        config: Some(config),
        ..Spawn::default()
    });
    (program, api)
}

/// A key of each kind.
async fn keys(program: &Program) -> Value {
    let account = Account::create(program).await;
    let (_, good) = account.key(&["chat", "read"]).await;
    let (_, read) = account.key(&["read"]).await;
    let (id, inactive) = account.key(&["chat", "read"]).await;
    account.patch(&id, &json!({"is_active": false})).await;
    let expired = issue(program, EMAIL, &["--expires-at", &in_two_seconds()]);
    eventually("the key expires", async || {
        let url = format!("{}/v1/models", program.url);
        let asked = account.client.get(url).bearer_auth(&expired).send().await;
        asked.expect("an answer").status() == 401
    })
    .await;
    let suspended = suspended_key(program);
    let unknown = "ask_unknown";
    json!({"good": good, "read": read, "inactive": inactive, "expired": expired, "suspended": suspended, "unknown": unknown})
}

fn in_two_seconds() -> String {
    SystemClock.now().plus(Duration::from_secs(2)).to_string()
}

/// A key of an account that is then suspended.
fn suspended_key(program: &Program) -> String {
    let email = "suspended@example.com";
    let create = ["account", "create", email, "--password-stdin"];
    command(program, &create, "correct horse battery staple 7\n");
    let key = issue(program, email, &[]);
    command(program, &["account", "suspend", email], "");
    key
}

/// Issues a key by the command.
fn issue(program: &Program, email: &str, more: &[&str]) -> String {
    let issue = ["key", "issue", "--account", email, "--name", "x", "--json"];
    let issued = command(program, &[&issue, more].concat(), "");
    let issued: Value = serde_json::from_str(&issued).expect("JSON");
    issued["key"].as_str().expect("a secret").to_owned()
}

fn command(program: &Program, args: &[&str], stdin: &str) -> String {
    let output = program.cli(args, stdin);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Has a script make its calls.
fn run(client: &Client, program: &Program, keys: &Value) -> Said {
    let url = if client.is_ollamas {
        format!("http://{}", program.gateway_address())
    } else {
        program.url.clone()
    };
    let refusals = REFUSALS.iter();
    let refusals =
        refusals.map(|refusal| json!({"key": keys[refusal.key], "model": refusal.model}));
    let asked = json!({"url": url, "key": keys["good"], "refusals": refusals.collect::<Vec<_>>()});
    let (name, mode) = client.script.split_once(' ').unwrap_or((client.script, ""));
    let output = script(name, &asked, mode).output().expect("it runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    let said = output
        .stdout
        .rsplit(|byte| *byte == b'\n')
        .find(|line| !line.is_empty());
    serde_json::from_slice(said.unwrap_or_default())
        .unwrap_or_else(|error| panic!("{}: {error}\n{complaint}", client.name))
}

/// Where what the tests install is.
fn tools() -> PathBuf {
    Path::new(HERE).join("../../target/test-tools")
}

/// A script with what it is asked for, in the way of using its library that `mode` names.
fn script(name: &str, asked: &Value, mode: &str) -> Command {
    let tools = tools();
    let is_python = Path::new(name).extension().is_some_and(|end| end == "py");
    let script = Path::new(HERE).join("tests/clients/scripts").join(name);
    let mut command = if is_python {
        Command::new(tools.join("venv/bin/python"))
    } else {
        Command::new("node")
    };
    let node_modules = tools.join("npm/node_modules");
    command
        .arg(script)
        .args([&asked.to_string(), mode])
        .env("NODE_MODULES", node_modules)
        .env_remove("OPENAI_API_KEY");
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_calls_streams_and_shows_what_keygate_says() {
    let (program, api) = program().await;
    let keys = keys(&program).await;
    let mut rows = Vec::new();
    let mut faults = Vec::new();
    for client in &CLIENTS {
        let said = run(client, &program, &keys);
        faults.extend(
            said.faults()
                .map(|fault| format!("{}: {fault}", client.name)),
        );
        rows.push(table::row(client, &said));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(!api.has_seen_keys(), "a client's key reached the upstream");
    table::check(&rows);
}

/// By both headers at once, as it does where it is given a key and a token.
#[tokio::test(flavor = "multi_thread")]
async fn claude_codes_calls_work_in_their_order() {
    let (program, api) = program().await;
    let (_, key) = Account::create(&program).await.key(&["chat", "read"]).await;
    let client = reqwest::Client::new();
    let call = |method: Method, path: &str| {
        let call = client.request(method, format!("{}{path}", program.url));
        let call = call.bearer_auth(&key).header("x-api-key", &key);
        let call = call.header("anthropic-version", "2023-06-01");
        call.header("anthropic-beta", "claude-code-20250219")
    };
    let head = call(Method::HEAD, "/").send().await.expect("an answer");
    assert!(head.status().as_u16() < 500);
    let models = call(Method::GET, "/v1/models?limit=1000").send().await;
    let models: Value = models.expect("an answer").json().await.expect("JSON");
    assert_eq!(models["data"], json!([{"id": "tiny"}]));
    let mut expected = Vec::new();
    for path in [
        "/v1/messages?beta=true",
        "/v1/messages/count_tokens?beta=true",
    ] {
        let body = json!({"model": "tiny", "max_tokens": 8, "messages": []});
        let answer = call(Method::POST, path).json(&body).send().await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), 200);
        expected.push(format!("POST {path}"));
    }
    let seen = api.seen();
    let posted = seen.iter().filter(|(asked, _)| asked.starts_with("POST"));
    assert_eq!(
        posted
            .clone()
            .map(|(asked, _)| asked.clone())
            .collect::<Vec<_>>(),
        expected
    );
    for (_, headers) in posted {
        assert_eq!(headers["anthropic-version"], "2023-06-01");
        assert_eq!(headers["anthropic-beta"], "claude-code-20250219");
    }
    assert!(!api.has_seen_keys());
}
