//! What the README says, done.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

/// The server in a folder of its own. It is ended when dropped.
struct Server {
    child: Child,
    folder: TempDir,
    address: String,
    /// The token in the link that it printed.
    token: String,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        drop(listener);
        let folder = TempDir::new().expect("a temporary folder");
        let mut child = Command::new(env!("CARGO_BIN_EXE_example-axum"))
            .arg(&address)
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let (_, token) = line.trim().split_once("token=").expect("a link");
        Self {
            child,
            folder,
            address,
            token: token.to_owned(),
        }
    }

    fn curl(&self, args: &[&str]) -> String {
        let url = format!("http://{}/v1/hello", self.address);
        let output = Command::new("curl").args(["-sS", &url]).args(args).output();
        String::from_utf8(output.expect("curl runs").stdout).expect("UTF-8")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn commands() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(path).expect("a README");
    let block = readme.split("```sh\n").nth(2).expect("two blocks");
    block.split("```").next().expect("the block").to_owned()
}

#[test]
fn the_commands_of_the_readme_end_in_a_greeting() {
    let server = Server::start();
    let script = commands().replace("127.0.0.1:3000", &server.address);
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(server.folder.path())
        .env("TOKEN", &server.token)
        .output()
        .expect("bash runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{text}");
    assert!(text.contains("Hello, account "), "{text}");
}

#[test]
fn nobody_gets_in_without_a_key() {
    let server = Server::start();
    let never_issued = "Authorization: Bearer ask_a1b2C3d4E5f6G7h8J9k0L1m2N30T4WGS";
    for args in [&[] as &[&str], &["-H", never_issued]] {
        let answer = server.curl(args);
        assert!(answer.contains("\"code\":\"invalid_api_key\""), "{answer}");
    }
}
