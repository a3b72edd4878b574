//! OpenAI's Python package, through the gateway of `keygate demo`.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use reqwest::Client;
use serde_json::{Value, json};

use crate::support::{keygate, signal};

/// The interpreter with the package, which `cargo xtask test` installs.
fn python() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-tools/venv");
    let python = folder.join("bin/python");
    assert!(
        python.exists(),
        "OpenAI's package is missing: run cargo xtask test, or\n  python3 -m venv {0} && {0}/bin/pip install openai",
        folder.display()
    );
    python
}

/// A running demo, and what its introduction says.
struct Demo {
    child: Child,
    url: String,
    password: String,
    key: String,
    /// The Python lines that it prints to be copied.
    python: String,
    folder: tempfile::TempDir,
}

impl Demo {
    fn start() -> Self {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let mut command = keygate(folder.path());
        command.args(["demo", "--listen", "127.0.0.1:0"]);
        command.env("TMPDIR", folder.path());
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let lines: Vec<String> = output
            .lines()
            .map(|line| line.expect("UTF-8"))
            .take_while(|line| !line.starts_with("Ctrl-C"))
            .collect();
        let after = |word: &str| {
            let line = lines.iter().find_map(|line| line.trim().strip_prefix(word));
            line.expect(word).trim().to_owned()
        };
        Self {
            child,
            url: after("keygate listens on"),
            password: after("password "),
            key: after("key "),
            python: python_lines(&lines),
            folder,
        }
    }
}

fn python_lines(introduction: &[String]) -> String {
    let begin = introduction
        .iter()
        .position(|line| line.starts_with("from openai"));
    let lines = introduction[begin.expect("Python lines")..].iter();
    let lines: Vec<&str> = lines
        .map(String::as_str)
        .take_while(|line| !line.is_empty())
        .collect();
    lines.join("\n")
}

#[test]
fn the_demos_python_lines_work() {
    let demo = Demo::start();
    let output = Command::new(python()).args(["-c", &demo.python]).output();
    let output = output.expect("python runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        said, "This is the demo's echo. You said: Hello\n",
        "{complaint}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn openais_package_works_through_the_gateway() {
    let mut demo = Demo::start();
    let client = Client::builder()
        .cookie_store(true)
        .build()
        .expect("a client");
    let body = json!({"email": "demo@example.com", "password": demo.password});
    let sign_in = client
        .post(format!("{}/api/session", demo.url))
        .json(&body)
        .send();
    assert_eq!(sign_in.await.expect("it answers").status(), 204);
    let body = json!({"name": "read only", "scopes": ["read"]});
    let created = client
        .post(format!("{}/api/keys", demo.url))
        .json(&body)
        .send();
    let created: Value = created
        .await
        .expect("it answers")
        .json()
        .await
        .expect("JSON");

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/openai_sdk.py");
    let output = Command::new(python())
        .arg(script)
        .args([&format!("{}/v1", demo.url), &demo.key])
        .args([
            created["key"].as_str().expect("a secret"),
            "sk-not-one-of-ours",
        ])
        .output()
        .expect("python runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complaint}");
    assert_eq!(said.trim(), "all is well");

    signal(&demo.child, "INT");
    assert!(demo.child.wait().expect("it ends").success());
    let left = std::fs::read_dir(demo.folder.path())
        .expect("readable")
        .count();
    assert_eq!(left, 0, "the demo threw its data away");
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
