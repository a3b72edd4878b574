//! Backups: made while the server runs, and put back without a mixture or a silent revival.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Output,
};

use reqwest::Method;
use serde_json::Value;

use crate::support::{Account, EMAIL, Program, Spawn, keygate};

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn many_keys() -> Spawn {
    Spawn {
        config: Some("[keys]\nmax_active = 100000\n".to_owned()),
        ..Spawn::default()
    }
}

fn back_up(program: &Program, name: &str) -> PathBuf {
    let file = program.folder().join(name);
    said(&program.cli(&["backup", file.to_str().expect("UTF-8")], ""));
    file
}

fn restore(program: &Program, file: &Path, more: &[&str]) -> Output {
    let args = [&["restore", file.to_str().expect("UTF-8")], more].concat();
    program.cli(&args, "")
}

/// A number by SQL of the test's own.
fn number(database: &Path, sql: &str) -> u64 {
    let database = rusqlite::Connection::open(database).expect("it opens");
    let number = database.query_row(sql, [], |row| row.get(0));
    number.expect("a number")
}

fn is_sound(database: &Path) -> bool {
    let database = rusqlite::Connection::open(database).expect("it opens");
    let said = database.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    said.is_ok_and(|said| said == "ok")
}

async fn states(program: &Program, key: &str) -> u16 {
    let asked = reqwest::Client::new()
        .get(format!("{}/v1/models", program.url))
        .bearer_auth(key);
    asked.send().await.expect("it answers").status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_writes_is_whole_and_this_users_alone() {
    let program = Program::start(many_keys());
    let account = Account::create_admin(&program).await;
    for round in 0..3 {
        account.key(&["read"]).await;
        let before = number(
            &program.data().join("keygate.db"),
            "SELECT count(*) FROM api_keys",
        );
        let file = program.folder().join(format!("{round}.db"));
        let args = ["backup", file.to_str().expect("UTF-8"), "--data"];
        let mut command = keygate(program.folder());
        let mut running = command
            .args(args)
            .arg(program.data())
            .spawn()
            .expect("it starts");
        while running.try_wait().expect("it runs").is_none() {
            account.key(&["read"]).await;
        }
        assert!(running.wait().expect("it ended").success());
        assert!(is_sound(&file));
        let keys = number(&file, "SELECT count(*) FROM api_keys");
        let entries = "SELECT count(*) FROM audit_entries WHERE action = 'key.issue'";
        assert_eq!(number(&file, entries), keys);
        assert!(keys >= before, "{keys} of {before}");
        let mode = file.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // What is there is not overwritten, unless that is meant.
    let again = program.folder().join("0.db");
    let again = again.to_str().expect("UTF-8");
    let why = refused(&program.cli(&["backup", again], ""));
    assert!(why.contains("--force"), "{why}");
    said(&program.cli(&["backup", again, "--force"], ""));
    let left: Vec<_> = std::fs::read_dir(program.folder())
        .expect("a folder")
        .map(|entry| entry.expect("a file").file_name())
        .filter(|name| name.to_string_lossy().starts_with('.'))
        .collect();
    assert_eq!(left, Vec::<std::ffi::OsString>::new());
}

/// How often one is killed at most before it leaves anything.
const ATTEMPTS: u32 = 1_000;

/// What a backup that is not finished leaves in the folder.
fn unfinished(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("a file").file_name());
    let hidden = names.filter(|name| name.to_string_lossy().starts_with(".keygate-backup-"));
    hidden.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_backup_left_goes_with_the_next() {
    let program = Program::start(many_keys());
    Account::create(&program).await;
    let folder = program.folder();
    for _ in 0..ATTEMPTS {
        if unfinished(folder) > 0 {
            break;
        }
        let mut command = keygate(folder);
        command.args(["backup", "killed.db", "--force", "--data"]);
        let mut running = command.arg(program.data()).spawn().expect("it starts");
        while unfinished(folder) == 0 && running.try_wait().expect("it runs").is_none() {}
        running.kill().expect("it is there");
        running.wait().expect("it ended");
    }
    assert_ne!(unfinished(folder), 0, "none was killed before it ended");
    let file = back_up(&program, "whole.db");
    assert!(is_sound(&file));
    assert_eq!(unfinished(folder), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_takes_the_place_of_nothing_that_is_not_a_file_of_its_own() {
    let program = Program::start(Spawn::default());
    let account = Account::create(&program).await;
    let data = program.data();
    let own = [
        "keygate.db",
        "keygate.db-wal",
        "keygate.db-shm",
        "keygate.db-journal",
    ];
    let by_another_way = data.join("..").join("data").join("keygate.db-wal");
    let own = own
        .map(|name| data.join(name))
        .into_iter()
        .chain([by_another_way]);
    for file in own.chain([data.join("operator.sock"), data.clone()]) {
        let file = file.to_str().expect("UTF-8");
        let said = refused(&program.cli(&["backup", file, "--force"], ""));
        let is_clear = said.contains("choose another name") || said.contains("is not a file");
        assert!(is_clear, "{file}: {said}");
        assert!(!said.contains("unavailable"), "{file}: {said}");
    }
    let pepper = program.folder().join("pepper");
    for text in [
        "a secret that is kept nowhere else",
        "SQLite format 3\0 of another program",
    ] {
        std::fs::write(&pepper, text).expect("written");
        let said = refused(&program.cli(&["backup", "pepper", "--force"], ""));
        assert!(said.contains("is no backup"), "{said}");
        assert_eq!(std::fs::read_to_string(&pepper).expect("it is there"), text);
    }
    account.key(&["read"]).await;
    assert!(is_sound(&data.join("keygate.db")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_another_database_than_the_one_that_runs_is_refused() {
    let program = Program::start(Spawn::default());
    Account::create(&program).await;
    let file = program.folder().join("copy.db");
    let other = program.folder().join("other.db");
    std::fs::write(&other, "").expect("written");
    let args = ["backup", file.to_str().expect("UTF-8"), "--database"];
    let why = refused(&program.cli(&[&args[..], &[other.to_str().expect("UTF-8")]].concat(), ""));
    assert!(why.contains("Nothing was done"), "{why}");
    assert!(!file.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_says_what_comes_back_and_ends_the_sessions_of_before() {
    let mut program = Program::start(many_keys());
    let account = Account::create(&program).await;
    let (id, revoked) = account.key(&["read"]).await;
    let (_, kept) = account.key(&["read"]).await;
    let file = back_up(&program, "copy.db");
    assert_eq!(account.delete(&id).await.status(), 200);
    account.key(&["read"]).await;
    let why = refused(&restore(&program, &file, &["--yes"]));
    assert!(why.contains("Stop it"), "{why}");
    program.terminate();
    let why = refused(&restore(&program, &file, &[]));
    assert!(why.contains("--yes"), "{why}");
    let keys = "SELECT count(*) FROM api_keys";
    assert_eq!(
        number(&program.data().join("keygate.db"), keys),
        2,
        "nothing was changed"
    );

    let done = said(&restore(&program, &file, &["--yes", "--json"]));
    let done: Value = serde_json::from_str(&done).expect("JSON");
    let back = done["revived"]["keys"].as_array().expect("a list");
    assert_eq!(back.len(), 1, "{done}");
    assert!(back[0].as_str().expect("text").contains(EMAIL), "{done}");
    assert_eq!(done["revived"]["lost_keys"], 1);
    let aside = done["moved_aside"].as_str().expect("a path");
    assert_eq!(number(Path::new(aside), keys), 2);

    let program = program.restart();
    assert_ne!(states(&program, &revoked).await, 401, "as was said");
    assert_ne!(states(&program, &kept).await, 401);
    let account = account.at(&program.url);
    let session = account.call(Method::GET, "/api/session").send().await;
    assert_eq!(session.expect("it answers").status(), 401);
    let recorded = "SELECT count(*) FROM audit_entries WHERE action = 'database.restore'";
    assert_eq!(number(&program.data().join("keygate.db"), recorded), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_backup_is_not_restored() {
    let mut program = Program::start(Spawn::default());
    Account::create(&program).await;
    let file = back_up(&program, "copy.db");
    program.terminate();
    let database = program.data().join("keygate.db");
    let before = std::fs::read(&database).expect("it is there");
    let bad = |name: &str, bytes: &[u8]| {
        let path = program.folder().join(name);
        std::fs::write(&path, bytes).expect("written");
        path
    };
    let bytes = std::fs::read(&file).expect("it is there");
    let mut torn = bytes.clone();
    for page in torn.chunks_mut(4096).skip(2) {
        page[..64].fill(0xA5);
    }
    let foreign = program.folder().join("foreign.db");
    let made = rusqlite::Connection::open(&foreign).expect("it opens");
    made.execute_batch("CREATE TABLE cats (name TEXT)")
        .expect("made");
    drop(made);
    let newer = bad("newer.db", &bytes);
    let made = rusqlite::Connection::open(&newer).expect("it opens");
    made.pragma_update(None, "user_version", 1_000)
        .expect("set");
    drop(made);
    let with_log = bad("with-log.db", &bytes);
    bad("with-log.db-wal", b"a log");
    for path in [
        bad("empty.db", b""),
        bad(
            "text.db",
            b"no database at all, but long enough to be read as one",
        ),
        bad("torn.db", &torn),
        foreign,
        newer,
        with_log,
        program.folder().join("missing.db"),
        program.folder().to_owned(),
    ] {
        refused(&restore(&program, &path, &["--yes"]));
        assert_eq!(
            std::fs::read(&database).expect("it is there"),
            before,
            "{path:?}"
        );
    }
    said(&restore(&program, &file, &["--yes"]));
    let _ = program.restart();
}

/// The case that corrupts: SQLite plays the log of the program that was killed onto whatever file lies
/// beside it.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_beside_the_log_of_another_file_is_refused_and_can_be_restored() {
    let mut program = Program::start(many_keys());
    let account = Account::create(&program).await;
    let (id, revoked) = account.key(&["read"]).await;
    let file = back_up(&program, "copy.db");
    assert_eq!(account.delete(&id).await.status(), 200);
    for _ in 0..20 {
        account.key(&["read"]).await;
    }
    program.kill();
    let database = program.data().join("keygate.db");
    let log = std::fs::read(program.data().join("keygate.db-wal")).expect("it stays");
    assert!(!log.is_empty());
    std::fs::copy(&file, &database).expect("copied");
    let mut command = keygate(program.folder());
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(program.data());
    let why = refused(&command.output().expect("it ends"));
    assert!(why.contains("keygate restore"), "{why}");
    let why = refused(&program.cli(&["account", "list"], ""));
    assert!(why.contains("keygate restore"), "{why}");
    assert_eq!(
        std::fs::read(&database).expect("there"),
        std::fs::read(&file).expect("there")
    );

    said(&restore(&program, &file, &["--yes"]));
    assert!(is_sound(&database));
    let aside = program.data().join("keygate.db.before-restore-1-wal");
    assert_eq!(std::fs::read(aside).expect("it was moved"), log);
    let program = program.restart();
    assert_ne!(states(&program, &revoked).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_on_a_copy_says_that_revoked_keys_are_back() {
    let mut program = Program::start(many_keys());
    Account::create(&program).await;
    let file = back_up(&program, "copy.db");
    program.terminate();
    let program = program.restart();
    assert!(
        !program.log().contains("restored"),
        "it is the one that was here"
    );
    let mut program = program;
    program.terminate();
    std::fs::copy(&file, program.data().join("keygate.db")).expect("copied");
    let program = program.restart();
    assert!(
        program.log().contains("was restored from a backup"),
        "{}",
        program.log()
    );
}

/// A program that is killed goes on with its own log, whenever that was.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_was_killed_starts_on_its_own_log() {
    let mut program = Program::start(many_keys());
    let mut account = Account::create(&program).await;
    let mut keys = Vec::new();
    for _ in 0..5 {
        for _ in 0..40 {
            keys.push(account.key(&["read"]).await.1);
        }
        program.kill();
        program = program.restart();
        account = account.at(&program.url);
        assert_ne!(states(&program, keys.last().expect("a key")).await, 401);
    }
    assert!(!program.log().contains("restored"));
}
