//! Results that cannot be written are failures.

use std::{
    fs::File,
    process::{Command, Stdio},
};

use crate::support::{Account, EMAIL, PASSWORD, Program, Spawn, keygate};

fn command(program: &Program, args: &[&str]) -> Command {
    let mut command = keygate(program.folder());
    command.args(args).arg("--data").arg(program.data());
    command
}

fn onto_a_full_device(mut command: Command) -> (Option<i32>, String) {
    let full = File::options().write(true).open("/dev/full");
    let output = command
        .stdin(Stdio::null())
        .stdout(full.expect("every Linux has it"))
        .output()
        .expect("it runs");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    (output.status.code(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_cannot_be_written_is_a_failure() {
    let program = Program::start(Spawn::default());
    Account::create(&program).await;
    for args in [
        &["account", "list"] as &[&str],
        &["account", "list", "--json"],
        &["account", "suspend", EMAIL],
        &["account", "resume", EMAIL],
        &["account", "invite"],
        &["account", "reset-link", EMAIL],
        &["key", "list", "--account", EMAIL],
        &["incident", "list"],
        &["config", "check"],
        &["config", "reference"],
        &["doctor"],
        &["openapi"],
        &["--help"],
        &["--version"],
    ] {
        let (code, said) = onto_a_full_device(command(&program, args));
        assert_eq!(code, Some(1), "{args:?} {said}");
        assert!(said.contains("standard output"), "{args:?} {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_secret_cannot_be_written_does_not_stay() {
    let program = Program::start(Spawn::default());
    let account = Account::create(&program).await;
    let args = ["key", "issue", "--account", EMAIL, "--name", "lost"];
    let (code, said) = onto_a_full_device(command(&program, &args));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("Nothing was done"), "{said}");
    let mut closed = Command::new("sh");
    let issue = command(&program, &args);
    closed
        .args(["-c", r#"exec "$@" >&-"#, "sh"])
        .arg(issue.get_program());
    closed.args(issue.get_args()).current_dir(program.folder());
    let output = closed.output().expect("it runs");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Nothing was done"), "{said}");
    // It cannot be seen beforehand that nobody reads a pipe.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut issue = command(&program, &args);
    let output = issue.stdout(writer).output().expect("it runs");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("so it was revoked"), "{said}");
    let keys = account
        .call(reqwest::Method::GET, "/api/keys?status=all")
        .send();
    let keys: serde_json::Value = keys.await.expect("it answers").json().await.expect("JSON");
    assert_eq!(keys, serde_json::json!([]));
}

/// As shells have it of programs that SIGPIPE ends.
#[test]
fn a_pipe_that_nobody_reads_to_its_end_is_nothing_to_talk_about() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut reference = keygate(folder.path());
    let output = reference
        .args(["config", "reference"])
        .stdout(writer)
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(output.stderr, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_runs_though_its_greeting_cannot_be_written() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let full = File::options().write(true).open("/dev/full");
    let log = folder.path().join("log");
    let mut command = keygate(folder.path());
    let mut server = command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(full.expect("every Linux has it"))
        .stderr(File::create(&log).expect("a log file"))
        .spawn()
        .expect("it starts");
    crate::support::eventually("it listens", async || {
        std::fs::read_to_string(&log).is_ok_and(|log| log.contains("listening"))
    })
    .await;
    crate::support::signal(&server, "TERM");
    assert!(server.wait().expect("it ends").success());
    let log = std::fs::read_to_string(&log).expect("a log");
    assert!(log.contains("the greeting was not shown"), "{log}");
}

#[test]
fn a_password_from_standard_input_is_what_can_be_typed() {
    let program = Program::start(Spawn::default());
    for (number, (stdin, refused)) in [
        (PASSWORD.as_bytes().to_vec(), None),
        (format!("{PASSWORD}\n").into_bytes(), None),
        (format!("{PASSWORD}\r\n").into_bytes(), None),
        (
            format!("{PASSWORD}\n\n").into_bytes(),
            Some("control characters"),
        ),
        (
            format!("{PASSWORD}\nmore\n").into_bytes(),
            Some("control characters"),
        ),
        (
            format!("{PASSWORD}\0").into_bytes(),
            Some("control characters"),
        ),
        (
            format!("\t{PASSWORD}").into_bytes(),
            Some("control characters"),
        ),
        (
            [PASSWORD.as_bytes(), &[0xff]].concat(),
            Some("no text in UTF-8"),
        ),
        (b"\n".to_vec(), Some("12 to 256")),
        (Vec::new(), Some("12 to 256")),
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("account{number}@example.com");
        let args = ["account", "create", &email, "--password-stdin"];
        let output = crate::support::run_with(command(&program, &args), &stdin);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.success(),
            refused.is_none(),
            "{stdin:?} {said}"
        );
        assert!(
            said.contains(refused.unwrap_or_default()),
            "{stdin:?} {said}"
        );
    }
}
