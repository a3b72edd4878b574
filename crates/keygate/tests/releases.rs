//! What earlier programs left is taken over whole: their keys work on, an upgrade that is killed in
//! the middle has changed nothing, and the program before runs on the schema of this one.
//!
//! `releases` has a database of each schema version, as text, and what the program before asks of
//! PostgreSQL.

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::LazyLock,
};

use keygate_storage_postgres::testing::PostgresServer;
use rusqlite::Connection;
use support::{Account, Caller, Dice, Program, Spawn, Upstream, eventually, keygate};
use tempfile::TempDir;

/// The key that the account of each of the databases uses, and the one that it has switched off.
const IN_USE: &str = "ask_a1b2C3d4E5f6G7h8J9k0L1m2N30T4WGS";
const OFF: &str = "ask_000000000000000000000000002Th9kM";
const IN_USE_ID: &str = "0197593d-1c00-7000-8000-00000000000a";

/// How often a program is killed while it brings SQLite's schema up to date.
const KILLS: usize = 20;
/// Entries of the record, so that the upgrade takes long enough to be killed in.
const ENTRIES: u32 = 50_000;

static SERVER: LazyLock<PostgresServer> = LazyLock::new(PostgresServer::start);

/// The texts of one kind of database, by schema version.
fn databases(engine: &str) -> Vec<(u32, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/releases");
    let text = |version: &u32| fs::read_to_string(folder.join(format!("{engine}/{version}.sql")));
    let texts = (1..).map_while(|version| Some((version, text(&version).ok()?)));
    texts.collect()
}

/// The last program's, and its version.
fn last(engine: &str) -> (u32, String) {
    databases(engine).pop().expect("there is one")
}

/// The keys of the databases are what they were, and so is the password.
async fn all_is_as_it_was(program: &Program) {
    let mut caller = Caller::connect(&program.url).await;
    assert_eq!(caller.call(IN_USE).await.expect("an answer"), 200);
    assert_eq!(caller.call(OFF).await.expect("an answer"), 401);
    let account = Account::sign_in(&program.url).await;
    let (_, new) = account.key(&["read"]).await;
    assert_eq!(caller.call(&new).await.expect("an answer"), 200);
    assert_eq!(account.delete(IN_USE_ID).await.status(), 200);
    assert_eq!(caller.call(IN_USE).await.expect("an answer"), 401);
}

fn sqlite(data: &Path, text: &str) -> Connection {
    let database = Connection::open(data.join("keygate.db")).expect("it opens");
    database.execute_batch(text).expect("it is filled");
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_release_work_on_sqlite() {
    let upstream = Upstream::start().await;
    let databases = databases("sqlite");
    assert_eq!(databases.len(), 4);
    for (_, text) in databases {
        let spawn = Spawn {
            upstream: Some(upstream.url()),
            ..Spawn::default()
        };
        let program = Program::start_with_data(spawn, |data| drop(sqlite(data, &text)));
        all_is_as_it_was(&program).await;
    }
}

/// A database of PostgreSQL with this in it: its URL and its name.
fn postgres(text: &str) -> (String, String) {
    let url = SERVER.create_database();
    let (_, name) = url.rsplit_once('/').expect("a path");
    let name = name.split('?').next().expect("a name").to_owned();
    SERVER.sql(&name, text);
    (url, name)
}

async fn start_on_postgres(url: String, upstream: &Upstream) -> Program {
    let spawn = Spawn {
        upstream: Some(upstream.url()),
        database: Some(url),
        ..Spawn::default()
    };
    let started = tokio::task::spawn_blocking(|| Program::start(spawn));
    started.await.expect("it starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_release_work_on_postgres() {
    let upstream = Upstream::start().await;
    let databases = databases("postgres");
    assert_eq!(databases.len(), 5);
    for (_, text) in databases {
        let program = start_on_postgres(postgres(&text).0, &upstream).await;
        all_is_as_it_was(&program).await;
    }
}

/// A program that was only started, and is killed when dropped.
struct Starting(Child);

impl Starting {
    fn on(data: &Path, database: Option<&str>) -> Self {
        let mut command = keygate(data.parent().expect("a folder around it"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]);
        command.arg(data);
        if let Some(url) = database {
            command.args(["--database", url]);
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("the program starts"))
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        // `kill -9`.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first schema, with a long record whose index the upgrade has to build.
fn large(data: &Path) -> PathBuf {
    let (_, first) = databases("sqlite").swap_remove(0);
    let entries = format!(
        "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {ENTRIES}) \
         INSERT INTO audit_entries (at, actor, action, subject_id) \
         SELECT n, 'operator', 'key.update', hex(randomblob(16)) FROM number"
    );
    sqlite(data, &format!("{first}{entries}"));
    data.join("keygate.db")
}

/// The schema's version, and whether every table and index is whole.
fn version(database: &Path) -> u32 {
    let connection = Connection::open(database).expect("it opens");
    let pragma = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0));
    assert_eq!(pragma("PRAGMA integrity_check").expect("it answers"), "ok");
    let version = connection.query_row("PRAGMA user_version", [], |row| row.get(0));
    version.expect("a number")
}

/// How much of the upgrade has reached the file beside the database.
fn written(database: &Path) -> u64 {
    let beside = database.with_extension("db-wal");
    fs::metadata(beside).map_or(0, |file| file.len())
}

fn remove(database: &Path) {
    for extension in ["db", "db-wal", "db-shm"] {
        let _ = fs::remove_file(database.with_extension(extension));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_of_sqlite_that_is_killed_has_changed_all_or_nothing() {
    let folder = TempDir::new().expect("a temporary folder");
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("a folder in a new one");
    let database = large(&data);
    let old = folder.path().join("old.db");
    fs::copy(&database, &old).expect("copied");
    let mut dice = Dice::new(u64::from(std::process::id()));
    let mut in_the_middle = 0;
    for _ in 0..KILLS {
        let starting = Starting::on(&data, None);
        let enough = 1 + dice.roll(4_000_000);
        eventually("so much is written, or it is done", async || {
            written(&database) >= enough || data.join("operator.sock").exists()
        })
        .await;
        drop(starting);
        let had_written = written(&database) > 500_000;
        match version(&database) {
            1 => in_the_middle += usize::from(had_written),
            done => assert!(done > 4, "version {done}"),
        }
        remove(&database);
        let _ = fs::remove_file(data.join("operator.sock"));
        fs::copy(&old, &database).expect("copied");
    }
    assert!(
        in_the_middle > 0,
        "no kill was in the middle of the upgrade"
    );
    let upstream = Upstream::start().await;
    let spawn = Spawn {
        upstream: Some(upstream.url()),
        ..Spawn::default()
    };
    let fill = |data: &Path| {
        fs::copy(&database, data.join("keygate.db")).expect("copied");
    };
    all_is_as_it_was(&Program::start_with_data(spawn, fill)).await;
}

fn sessions(database: &str, which: &str) -> u32 {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = '{database}' AND application_name = 'keygate' AND {which}"
    );
    SERVER.sql(database, &sql).parse().expect("a number")
}

/// Every column, with what matters to whoever writes to it.
fn columns(database: &str) -> Vec<String> {
    let sql = "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || \
            CASE WHEN is_nullable = 'YES' OR column_default IS NOT NULL OR is_identity = 'YES' \
            THEN 'may be left out' ELSE 'must be given' END \
        FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1";
    SERVER
        .sql(database, sql)
        .lines()
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_of_postgres_that_is_killed_has_changed_nothing() {
    let upstream = Upstream::start().await;
    let (_, first) = databases("postgres").swap_remove(0);
    // Each is changed by the upgrade, one after the other.
    for table in [
        "api_keys",
        "audit_entries",
        "accounts",
        "sessions",
        "invitations",
    ] {
        let (url, database) = postgres(&first);
        let before = columns(&database);
        let lock = SERVER.lock_table(&database, table);
        let folder = TempDir::new().expect("a temporary folder");
        let starting = Starting::on(&folder.path().join("data"), Some(&url));
        eventually("it waits in the middle of the upgrade", async || {
            sessions(&database, "wait_event_type = 'Lock'") > 0
        })
        .await;
        drop(starting);
        drop(lock);
        let gone = async || sessions(&database, "true") == 0;
        eventually("the server has noticed", gone).await;
        let version = SERVER.sql(&database, "SELECT version FROM keygate_schema");
        assert_eq!((&*version, columns(&database)), ("1", before), "{table}");
        let program = start_on_postgres(url, &upstream).await;
        all_is_as_it_was(&program).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_before_runs_on_this_schema() {
    let upstream = Upstream::start().await;
    let (version, text) = last("postgres");
    let (url, database) = postgres(&text);
    let before = columns(&database);
    let tables: Vec<_> = before.iter().map(|column| table(column)).collect();
    let program = start_on_postgres(url, &upstream).await;
    let now = SERVER.sql(&database, "SELECT version, runs_from FROM keygate_schema");
    let (now, runs_from) = now.split_once('|').expect("two numbers");
    assert_eq!(
        now.parse(),
        Ok(version + 1),
        "add a text of the last release"
    );
    assert!(runs_from.parse::<u32>().expect("a number") <= version);
    let after = columns(&database);
    for column in &before {
        assert!(after.contains(column), "{column} is gone or another");
    }
    for column in after.iter().filter(|column| !before.contains(column)) {
        let is_new = !tables.contains(&table(column));
        assert!(is_new || column.ends_with("may be left out"), "{column}");
    }
    for statement in include_str!("releases/postgres/statements.sql").lines() {
        SERVER.sql(&database, &format!("PREPARE asked AS {statement}"));
    }
    all_is_as_it_was(&program).await;
}

/// The table that a column is of.
fn table(column: &str) -> &str {
    column.split('.').next().expect("its name")
}
