//! `keygate doctor`, in health and with each fault.

use std::{
    fs::{Permissions, set_permissions},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    process::Output,
};

use axum::Router;
use http::StatusCode;
use keygate_storage_postgres::testing::PostgresServer;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Account, Program, Upstream, free_port, keygate, run};

/// What a person sees, and how it ended. Ports, folders and sizes differ from run to run.
fn seen(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let code = output.status.code().expect("it ended by itself");
    format!("{text}exit code {code}\n")
}

macro_rules! assert_seen {
    ($output:expr) => {
        let filters = [
            (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
            (r"/tmp/\.tmp\w+", "[folder]"),
            // However full the disk is on which the tests run, and however many files they may have open.
            (r"(?m)^(ok     |warning|wrong  )  (disk space|open files): .*\n( +.*\n)?", ""),
            (r"PostgreSQL [\d.]+", "PostgreSQL [version]"),
            (r"(\d+m )?\d+s ahead", "[time] ahead"),
            (r"of \d+ there are \d+ left", "of [all] there are [some] left"),
            (r"(?m)^(Nothing is wrong|Wrong).*\n", ""),
            (r"It is \d{4}-[^;]*;", "It is [now];"),
        ];
        let seen = seen(&$output);
        insta::with_settings!({filters => filters}, { insta::assert_snapshot!(seen) });
    };
}

/// The doctor on a folder where nothing runs.
fn examine(folder: &TempDir, args: &[&str]) -> Output {
    let mut command = keygate(folder.path());
    command.arg("doctor").args(args);
    if !args.contains(&"--data") {
        command.arg("--data").arg(folder.path().join("data"));
    }
    if !args.contains(&"--listen") {
        command.args(["--listen", &format!("127.0.0.1:{}", free_port())]);
    }
    run(command, "")
}

fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

/// An upstream that answers everything like this, and where it is.
async fn upstream_that_says(status: StatusCode, date: Option<&'static str>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let answer = move || async move {
        let date = date.map(|date| (http::header::DATE, date));
        (status, axum::response::AppendHeaders(date))
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    format!("http://{address}")
}

async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

/// The doctor where the only thing that matters is this upstream.
async fn examine_with_upstream(url: String) -> Output {
    off_the_runtime(move || examine(&folder(), &["--upstream", &url])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_health_running_and_stopped() {
    let upstream = Upstream::start().await;
    let mut program = Program::with_upstream(&upstream.url());
    Account::create(&program).await;
    let listen = program.url.replace("http://", "");
    let url = upstream.url();
    let args = ["doctor", "--listen", &listen, "--upstream", &url];
    assert_seen!(program.cli(&args, ""));
    assert!(program.terminate().success());
    let before = files(&program);
    assert_seen!(program.cli(&args, ""));
    assert_eq!(files(&program), before, "it leaves nothing behind");
}

fn files(program: &Program) -> Vec<String> {
    let folder = std::fs::read_dir(program.data()).expect("a data folder");
    let mut names: Vec<_> = folder
        .map(|file| {
            file.expect("a file")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_start_nothing_is_wrong() {
    let upstream = Upstream::start().await;
    let url = upstream.url();
    let folder = folder();
    let data = folder.path().join("data");
    let seen = off_the_runtime(move || examine(&folder, &["--upstream", &url])).await;
    assert_seen!(seen);
    assert!(!data.exists());
}

#[test]
fn findings_are_json_for_programs() {
    let folder = folder();
    let output = examine(&folder, &["--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let upstream = found.as_array().expect("a list").iter();
    let mut upstream = upstream.filter(|found| found["check"] == "upstream");
    let upstream = upstream.next().expect("there is one");
    assert_eq!(upstream["state"], "warning");
    assert!(upstream["message"].is_string() && upstream["advice"].is_string());
    assert!(output.status.success(), "warnings are allowed");
}

#[test]
fn a_bad_configuration() {
    let folder = folder();
    let config = folder.path().join("keygate.toml");
    std::fs::write(&config, "[keys]\nprefx = \"a\"\n").expect("written");
    let config = config.to_string_lossy();
    assert_seen!(examine(&folder, &["--config", &config]));
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_everybody_can_read() {
    let upstream = Upstream::start().await;
    let folder = folder();
    let secret = folder.path().join("credential");
    std::fs::write(&secret, "upstream-secret").expect("written");
    set_permissions(&secret, Permissions::from_mode(0o644)).expect("its owner may");
    let config = folder.path().join("keygate.toml");
    let text = format!(
        "[[upstream]]\nurl = \"{}\"\ncredential_file = \"credential\"\n",
        upstream.url()
    );
    std::fs::write(&config, text).expect("written");
    let config = config.to_string_lossy().into_owned();
    let seen = off_the_runtime(move || examine(&folder, &["--config", &config])).await;
    assert_seen!(seen);
    let asked = upstream.last_seen().headers;
    assert_eq!(asked["authorization"], "Bearer upstream-secret");
}

#[test]
fn a_data_folder_that_is_open_to_everybody() {
    let folder = folder();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("made");
    set_permissions(&data, Permissions::from_mode(0o755)).expect("its owner may");
    assert_seen!(examine(&folder, &[]));
}

#[test]
fn a_path_that_is_too_long_for_the_socket() {
    let folder = folder();
    let data = format!("/tmp/{}", "x".repeat(120));
    assert_seen!(examine(&folder, &["--data", &data]));
}

/// A database in a data folder of its own, changed by these statements.
fn with_database(sql: &str) -> TempDir {
    let folder = folder();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("made");
    set_permissions(&data, Permissions::from_mode(0o700)).expect("its owner may");
    let path = data.join("keygate.db");
    let database = Connection::open(&path).expect("it opens");
    database.execute_batch(sql).expect("it is SQL");
    set_permissions(&path, Permissions::from_mode(0o600)).expect("its owner may");
    folder
}

#[test]
fn a_database_of_a_later_version() {
    let folder = with_database("PRAGMA application_id = 0x4b474154; PRAGMA user_version = 99;");
    assert_seen!(examine(&folder, &[]));
}

#[test]
fn a_database_of_an_earlier_version_and_with_a_change_from_the_future() {
    let folder = with_database(concat!(
        "PRAGMA application_id = 0x4b474154; PRAGMA user_version = 1;",
        include_str!("../../../storage-sqlite/migrations/0001_initial.sql"),
        "INSERT INTO audit_entries (at, actor, action) \
            VALUES (253402300799000, 'operator', 'key.create');",
    ));
    let output = examine(&folder, &["--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let states = |check: &str| -> Vec<_> {
        let found = found.as_array().expect("a list").iter();
        let found = found.filter(|found| found["check"] == check);
        found
            .map(|found| found["state"].as_str().expect("a word"))
            .collect()
    };
    assert_eq!(states("database"), ["warning"]);
    assert_eq!(states("clock"), ["wrong"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_database_of_another_program() {
    let folder = with_database("CREATE TABLE songs (name TEXT);");
    assert_seen!(examine(&folder, &[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_away() {
    let url = format!("http://127.0.0.1:{}", free_port());
    assert_seen!(examine_with_upstream(url).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_without_a_name() {
    // RFC 6761 section 6.4: no such name is ever given an address.
    let seen = seen(&examine_with_upstream("http://upstream.invalid".into()).await);
    assert!(seen.contains("its name has no address"), "{seen}");
    assert!(seen.contains("this machine's DNS"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_speaks_no_tls() {
    let upstream = Upstream::start().await;
    let url = upstream.url().replace("http://", "https://");
    let seen = seen(&examine_with_upstream(url).await);
    assert!(seen.contains("TLS failed"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_wants_a_key() {
    let url = upstream_that_says(StatusCode::UNAUTHORIZED, None).await;
    assert_seen!(examine_with_upstream(url).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_fails() {
    let url = upstream_that_says(StatusCode::SERVICE_UNAVAILABLE, None).await;
    assert_seen!(examine_with_upstream(url).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_are_apart() {
    // Years ago, so that the difference is not the same for two days.
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let url = upstream_that_says(StatusCode::OK, Some(date)).await;
    let seen = seen(&examine_with_upstream(url).await);
    assert!(
        seen.contains("wrong    clock: This machine's clock is 3"),
        "{seen}"
    );
    assert!(
        seen.contains(" ahead of that of http://127.0.0.1:"),
        "{seen}"
    );
    assert!(seen.contains("timedatectl set-ntp true"), "{seen}");
}

#[test]
fn a_port_that_another_program_has() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = other.local_addr().expect("an address").to_string();
    assert_seen!(examine(&folder(), &["--listen", &address]));
    assert_seen!(examine(&folder(), &["--metrics-listen", &address]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_server_in_health_and_with_each_fault() {
    let mut server = off_the_runtime(PostgresServer::start).await;
    let url = server.create_database();
    let examine = |url: &str| examine(&folder(), &["--database", url]);
    assert_seen!(examine(&url));
    let tables = server.sql(
        "keygate0",
        "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'",
    );
    assert_eq!(tables, "0", "it makes nothing");

    server.sql("postgres", "CREATE ROLE guest LOGIN");
    let guest = url.replace("keygate@", "guest@");
    let seen = self::seen(&examine(&guest));
    assert!(seen.contains("which this user may not make"), "{seen}");
    assert!(seen.ends_with("exit code 1\n"), "{seen}");

    let foreign = server.create_database();
    server.sql("keygate1", "CREATE TABLE accounts (name TEXT)");
    assert_seen!(examine(&foreign));

    server.sql(
        "keygate0",
        "CREATE TABLE keygate_schema (singleton INTEGER, version INTEGER, runs_from INTEGER); \
         INSERT INTO keygate_schema VALUES (1, 99, 99)",
    );
    assert_seen!(examine(&url));

    server.sql(
        "postgres",
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'SQL_ASCII'",
    );
    server.sql("postgres", "ALTER SYSTEM SET fsync = off");
    server.sql("postgres", "SELECT pg_reload_conf()");
    assert_seen!(examine(&server.url("latin", server.port())));
    let undurable = server.create_database();
    let seen = self::seen(&examine(&undurable));
    assert!(seen.contains("fsync or full_page_writes is off"), "{seen}");

    server.stop();
    let seen = self::seen(&examine(&url));
    assert!(seen.contains("wrong    database: "), "{seen}");
}
