//! What becomes of a connection, by how what it was borrowed for has ended.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use keygate_storage::{ChangeListeners, StorageError};
use keygate_storage_sql::Columns;
use sqlx::query;
use tokio::sync::Barrier;

use super::*;
use crate::{
    query::{execute, optional},
    testing::PostgresServer,
    write::write,
};

static SERVER: LazyLock<PostgresServer> = LazyLock::new(PostgresServer::start);

fn options() -> PostgresOptions {
    let mut options = PostgresOptions::new(SERVER.create_database());
    options.statement_timeout = Duration::from_millis(300);
    options.lock_timeout = Duration::from_millis(100);
    options
}

fn database(options: &PostgresOptions, size: u32) -> Database {
    let connect = options.connect().expect("an address");
    Database::new(connect, options, size, options.statement_timeout)
}

/// The server's process behind the one connection.
async fn backend(database: &Database) -> i64 {
    let backend = database.read(|db| {
        let ask = query("SELECT pg_backend_pid()::bigint AS pid");
        optional(db, ask, |row| row.number("pid")).boxed()
    });
    let backend = backend.await.expect("it answers").flatten();
    backend.expect("a number")
}

/// Runs a query; gives how often it was run, and how it ended.
async fn run(database: &Database, sql: &'static str) -> (u32, StorageError) {
    let runs = AtomicU32::new(0);
    let failed = database.read(|db| {
        runs.fetch_add(1, Ordering::Relaxed);
        async move { optional(db, query(sql), |row| row.some_text("found")).await }.boxed()
    });
    let failed = failed.await.expect_err(sql);
    (runs.into_inner(), failed)
}

#[tokio::test]
async fn an_error_of_the_server_is_answered_once_and_leaves_the_connection() {
    let options = options();
    let database = database(&options, 1);
    let (_, name) = options.url.rsplit_once('/').expect("a path");
    let name = name.split('?').next().expect("a name");
    SERVER.sql(
        name,
        "CREATE TABLE locked (id INTEGER UNIQUE); INSERT INTO locked VALUES (1)",
    );
    let other = self::database(&options, 1);
    let mut lock = other.begin("BEGIN").await.expect("it begins");
    let taken = raw_sql("LOCK TABLE locked").execute(&mut *lock).await;
    taken.expect("nobody else has it");

    let first = backend(&database).await;
    for (sql, is_internal) in [
        ("SELECT found FROM nowhere", true),
        ("SELECT (1 / 0)::text AS found", true),
        // Not what is read from it.
        ("SELECT 1 AS found", true),
        ("SELECT NULL::text AS found", true),
        // lock_timeout, then statement_timeout.
        ("SELECT id::text AS found FROM locked", false),
        ("SELECT pg_sleep(5)::text AS found", false),
    ] {
        let (runs, failed) = run(&database, sql).await;
        assert_eq!(runs, 1, "{sql}: {failed}");
        assert_eq!(failed.is_internal(), is_internal, "{sql}: {failed}");
        assert_eq!(backend(&database).await, first, "{sql}");
    }
}

#[tokio::test]
async fn a_connection_that_broke_is_replaced_and_the_query_run_once_more() {
    let database = database(&options(), 1);
    let first = backend(&database).await;
    let ends_itself = "SELECT pg_terminate_backend(pg_backend_pid())::text AS found";
    let (runs, failed) = run(&database, ends_itself).await;
    assert_eq!(runs, 2);
    assert!(matches!(failed, StorageError::Unavailable(_)), "{failed}");
    assert_ne!(backend(&database).await, first);
}

#[tokio::test]
async fn a_plan_from_before_the_schema_changed_is_made_anew() {
    let options = options();
    let database = database(&options, 1);
    let (_, name) = options.url.rsplit_once('/').expect("a path");
    let name = name.split('?').next().expect("a name");
    SERVER.sql(
        name,
        "CREATE TABLE grown (found TEXT); INSERT INTO grown VALUES ('here')",
    );
    let read = async || {
        let read = database.read(|db| {
            let all = query("SELECT * FROM grown");
            optional(db, all, |row| row.some_text("found")).boxed()
        });
        read.await.expect("it answers")
    };
    let written = async || {
        let listeners = Arc::new(ChangeListeners::default());
        let written = write(&database, &listeners, |db| {
            async move {
                let all = query("SELECT * FROM grown");
                optional(db, all, |row| row.some_text("found")).await
            }
            .boxed()
        });
        written.await.expect("it answers")
    };
    for column in ["one", "two"] {
        assert_eq!(read().await.as_deref(), Some("here"));
        assert_eq!(written().await.as_deref(), Some("here"));
        SERVER.sql(name, &format!("ALTER TABLE grown ADD COLUMN {column} TEXT"));
        if column == "one" {
            assert_eq!(written().await.as_deref(), Some("here"));
        }
    }
    assert_eq!(read().await.as_deref(), Some("here"));
}

#[tokio::test]
async fn a_transaction_that_is_chosen_to_give_way_is_run_once_more() {
    let mut options = options();
    // Longer than it takes the server to find a deadlock.
    options.lock_timeout = Duration::from_secs(10);
    options.statement_timeout = Duration::from_secs(10);
    let database = database(&options, 6);
    let (_, name) = options.url.rsplit_once('/').expect("a path");
    let name = name.split('?').next().expect("a name");
    SERVER.sql(
        name,
        "CREATE TABLE counted (id INTEGER, times INTEGER); INSERT INTO counted VALUES (1, 0), (2, 0)",
    );
    let runs = Arc::new(AtomicU32::new(0));
    let both_have_one = Arc::new(Barrier::new(2));
    let listeners = Arc::new(ChangeListeners::default());
    let count = |ids: [i32; 2]| {
        let (runs, both_have_one) = (runs.clone(), both_have_one.clone());
        write(&database, &listeners, move |db| {
            async move {
                let is_first_run = runs.fetch_add(1, Ordering::SeqCst) < 2;
                for (place, id) in ids.into_iter().enumerate() {
                    let add = query("UPDATE counted SET times = times + 1 WHERE id = $1").bind(id);
                    execute(db, add).await?;
                    if place == 0 && is_first_run {
                        both_have_one.wait().await;
                    }
                }
                Ok(())
            }
            .boxed()
        })
    };
    let (one, other) = tokio::join!(count([1, 2]), count([2, 1]));
    one.expect("it is made");
    other.expect("it is made");
    assert_eq!(runs.load(Ordering::SeqCst), 3, "one gave way");
    let times = SERVER.sql(name, "SELECT times FROM counted");
    assert_eq!(times, "2\n2", "each was made once");
}

#[tokio::test]
async fn a_statement_that_breaks_a_rule_is_a_fault_and_is_not_tried_again() {
    let options = options();
    let database = database(&options, 1);
    let (_, name) = options.url.rsplit_once('/').expect("a path");
    let name = name.split('?').next().expect("a name");
    SERVER.sql(
        name,
        "CREATE TABLE single (id INTEGER UNIQUE); INSERT INTO single VALUES (1)",
    );
    let first = backend(&database).await;
    let runs = Arc::new(AtomicU32::new(0));
    let listeners = Arc::new(ChangeListeners::default());
    let counted = runs.clone();
    let refused = write(&database, &listeners, move |db| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move { execute(db, query("INSERT INTO single VALUES (1)")).await }.boxed()
    });
    let refused = refused.await.expect_err("it is there");
    assert!(refused.is_internal(), "{refused}");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(
        backend(&database).await,
        first,
        "it was rolled back, and goes on"
    );
}
