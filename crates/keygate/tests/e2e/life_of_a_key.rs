//! The whole life of a key, with curl and a cookie jar.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{EMAIL, PASSWORD, Program, Upstream, eventually};

struct Curl<'a> {
    program: &'a Program,
}

struct Said {
    status: u16,
    body: String,
}

impl Curl<'_> {
    fn call(&self, args: &[&str], path: &str) -> Said {
        let mut command = Command::new("curl");
        command.current_dir(self.program.folder());
        command.args(["--silent", "--show-error", "--max-time", "20"]);
        command.args(["--write-out", "\n%{http_code}"]).args(args);
        command.arg(format!("{}{path}", self.program.url));
        let output = command.stderr(Stdio::inherit()).output();
        let output = output.expect("curl is there: apt-get install curl");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let (body, status) = text.rsplit_once('\n').expect("a status");
        Said {
            status: status.parse().expect("a status"),
            body: body.to_owned(),
        }
    }

    fn manage(&self, method: &str, path: &str, body: Option<Value>) -> Said {
        let body = body.map(|body| body.to_string());
        let mut args = vec!["-b", "jar", "-c", "jar", "-X", method];
        if let Some(body) = &body {
            args.extend(["-H", "Content-Type: application/json", "--data", body]);
        }
        self.call(&args, path)
    }

    fn use_key(&self, key: &str) -> Said {
        let header = format!("Authorization: Bearer {key}");
        self.call(&["-H", &header], "/v1/models")
    }
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    fn code(&self) -> String {
        format!("{} {}", self.status, self.json()["error"]["code"])
    }
}

/// The names of a key's fields that are in the contract, in their order.
fn of_contract(key: &Value, contract: &str) -> String {
    let names = key.as_object().expect("an object").keys();
    let known = names.filter(|name| contract.split(' ').any(|one| one == *name));
    known.map(String::as_str).collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_lives_and_dies() {
    let upstream = Upstream::start().await;
    let program = Program::with_upstream(&upstream.url());
    let curl = Curl { program: &program };

    let link = program
        .greeting
        .lines()
        .find(|line| line.contains("/signup?token="));
    let token = link
        .expect("a set-up link")
        .rsplit_once('=')
        .expect("a token")
        .1;
    let body = json!({"email": EMAIL, "password": PASSWORD, "invitation": token});
    assert_eq!(curl.manage("POST", "/api/accounts", Some(body)).status, 201);
    let body = json!({"email": EMAIL, "password": PASSWORD});
    assert_eq!(curl.manage("POST", "/api/session", Some(body)).status, 204);

    let created = curl.manage("POST", "/api/keys", Some(json!({"name": "Production"})));
    assert_eq!(created.status, 201);
    let created = created.json();
    let contract = "id name key_prefix scopes expires_at created_at key";
    assert_eq!(of_contract(&created, contract), contract);
    let key = created["key"].as_str().expect("a secret");
    let path = format!("/api/keys/{}", created["id"].as_str().expect("an id"));

    assert_eq!(curl.use_key(key).status, 200);
    let first = || curl.manage("GET", "/api/keys", None).json()[0].clone();
    eventually("the use is noted", async || {
        !first()["last_used_at"].is_null()
    })
    .await;
    let contract = "id name key_prefix scopes last_used_at expires_at is_active created_at";
    assert_eq!(of_contract(&first(), contract), contract);

    let off = curl.manage("PATCH", &path, Some(json!({"is_active": false})));
    assert_eq!((off.status, off.json()), (200, json!({"success": true})));
    assert_eq!(curl.use_key(key).code(), r#"401 "api_key_revoked""#);
    assert_eq!(curl.manage("GET", "/api/keys", None).json(), json!([]));
    curl.manage("PATCH", &path, Some(json!({"is_active": true})));
    assert_eq!(curl.use_key(key).status, 200);
    curl.manage("PATCH", &path, Some(json!({"scopes": ["chat"]})));
    assert_eq!(curl.use_key(key).code(), r#"403 "insufficient_scope""#);
    curl.manage("PATCH", &path, Some(json!({"scopes": ["admin"]})));
    assert_eq!(curl.use_key(key).status, 200);

    // Three were let through, and three were not.
    let usage = format!("{path}/usage");
    eventually("each use is counted", async || {
        curl.manage("GET", &usage, None).json()["requests"] == 3
    })
    .await;

    assert_eq!(curl.manage("DELETE", &path, None).status, 200);
    assert_eq!(curl.use_key(key).code(), r#"401 "invalid_api_key""#);
    assert_eq!(
        curl.manage("GET", &path, None).code(),
        r#"404 "key_not_found""#
    );

    assert_eq!(curl.manage("DELETE", "/api/session", None).status, 204);
    assert_eq!(
        curl.manage("GET", "/api/keys", None).code(),
        r#"401 "session_required""#
    );
}
