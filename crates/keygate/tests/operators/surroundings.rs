//! What the surroundings set stops nothing that it should not, and gives nobody else a look.

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use http::StatusCode;
use reqwest::{Client, Method};
use serde_json::json;

use crate::support::{Account, Program, Spawn, Upstream, eventually, free_port, keygate, signal};

/// What a shell sets before it becomes the program.
const SURROUNDINGS: [&str; 12] = [
    "umask 000",
    "umask 777",
    "export LANG=xx_YY.KOI-9 LC_ALL=garbage LANGUAGE=:",
    "export TZ=Nowhere/Nothing",
    "export TZ=Pacific/Kiritimati",
    "export OTHER=$(printf '\\377')",
    "unset HOME USER LOGNAME SHELL TERM",
    "export TMPDIR=/nonexistent",
    "exec <&- 2>&-",
    "exec 2>/dev/full",
    "trap '' PIPE HUP XFSZ",
    "ulimit -n 64; ulimit -c 0",
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_around_it_keeps_it_from_its_work() {
    let upstream = Upstream::start().await;
    for before in SURROUNDINGS {
        let mut program = Program::start(Spawn {
            upstream: Some(upstream.url()),
            before: Some(before),
            ..Spawn::default()
        });
        let account = Account::create(&program).await;
        let (id, key) = account.key(&["read"]).await;
        assert_eq!(models(&program, &key).await, 200, "{before}");
        let backup = program.folder().join("backup.db");
        let shown = backup.to_str().expect("UTF-8");
        let written = program.cli_after(before, &["backup", shown]);
        assert!(written.status.success(), "{before}: {written:?}");
        assert_eq!(account.delete(&id).await.status(), 200, "{before}");
        assert_eq!(models(&program, &key).await, 401, "{before}");
        assert_private(&program.data(), before);
        assert_private(&backup, before);
        assert!(program.terminate().success(), "{before}");
    }
}

async fn models(program: &Program, key: &str) -> StatusCode {
    let request = Client::new().get(format!("{}/v1/models", program.url));
    let answer = request.bearer_auth(key).send().await;
    answer.expect("it answers").status()
}

/// A folder, and all that is in it, is its owner's alone, who may do with it what can be done.
fn assert_private(path: &Path, before: &str) {
    let found = path.metadata().expect("it is there");
    let mode = found.permissions().mode() & 0o7777;
    let expected = if found.is_dir() { 0o700 } else { 0o600 };
    assert_eq!(mode, expected, "{before}: {} {mode:o}", path.display());
    if found.is_dir() {
        for entry in path.read_dir().expect("a folder") {
            assert_private(&entry.expect("an entry").path(), before);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_where_nobody_reads_what_it_prints() {
    for closed in ["exec >&-", "exec <&- >&- 2>&-", "exec >/dev/full 2>&1"] {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let port = free_port();
        let mut command = Command::new("sh");
        let program = keygate(folder.path());
        command.args(["-c", &format!(r#"{closed}; exec "$@""#), "sh"]);
        command.arg(program.get_program()).args(program.get_args());
        command.args(["serve", "--metrics-listen", "off"]);
        command.args(["--listen", &format!("127.0.0.1:{port}"), "--data"]);
        command.arg(folder.path().join("data")).stdin(Stdio::null());
        let mut running = command.spawn().expect("it starts");
        let url = format!("http://127.0.0.1:{port}/readyz");
        eventually("it is ready", async || {
            assert_eq!(running.try_wait().expect("a child"), None, "{closed}");
            let answer = Client::new().get(&url).send().await;
            answer.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        signal(&running, "TERM");
        assert!(running.wait().expect("ended").success(), "{closed}");
    }
}

/// As on a full disk: what would be beyond the limit is refused, and the program goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_on_the_size_of_files_ends_writes_and_not_the_program() {
    let upstream = Upstream::start().await;
    let mut program = Program::start(Spawn {
        upstream: Some(upstream.url()),
        before: Some("ulimit -f 2048"),
        ..Spawn::default()
    });
    let account = Account::create_admin(&program).await;
    let (id, key) = account.key(&["read"]).await;
    let mut names = 0;
    eventually("a write is refused", async || {
        names += 1;
        let name = json!({"name": format!("{names} {}", "x".repeat(200))});
        let renamed = account.patch(&id, &name).await.status();
        assert!([200, 503].contains(&renamed.as_u16()), "{renamed}");
        renamed == 503
    })
    .await;
    assert_eq!(models(&program, &key).await, 200);
    let listed = account.call(Method::GET, "/api/keys").send().await;
    assert_eq!(listed.expect("it answers").status(), 200);
    program.terminate();
    let program = program.restart_with(|spawn| spawn.before = None);
    let account = account.at(&program.url);
    let renamed = account.patch(&id, &json!({"name": "after"})).await;
    assert_eq!(renamed.status(), 200);
}
