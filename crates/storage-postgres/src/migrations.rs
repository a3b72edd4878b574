//! The schema, and which programs run on it.

use futures_util::FutureExt;
use keygate_storage::{Columns, StorageError, statements};
use sqlx::{PgConnection, query, raw_sql};

use crate::{
    database::Database,
    error::unavailable,
    query::{execute, optional},
    row::column,
};

/// A step of the schema.
struct Migration {
    sql: &'static str,
    /// The oldest schema version whose programs run on this one, so that nodes can be replaced one
    /// by one.
    runs_from: i32,
}

/// What makes schema version 1, 2 and so on. Released ones are never edited.
const MIGRATIONS: &[Migration] = &[
    Migration {
        sql: include_str!("../migrations/0001_initial.sql"),
        runs_from: 1,
    },
    Migration {
        sql: include_str!("../migrations/0002_usage.sql"),
        runs_from: 2,
    },
    Migration {
        sql: include_str!("../migrations/0003_feed.sql"),
        runs_from: 3,
    },
    Migration {
        sql: include_str!("../migrations/0004_dashboard.sql"),
        runs_from: 3,
    },
    Migration {
        sql: include_str!("../migrations/0005_status.sql"),
        runs_from: 3,
    },
];

/// One node at a time; the others find it done. "kgmi"
const LOCK: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
    SELECT pg_advisory_xact_lock(1802988905); \
    CREATE TABLE IF NOT EXISTS keygate_schema ( \
        singleton INTEGER PRIMARY KEY CHECK (singleton = 1), \
        version INTEGER NOT NULL, \
        runs_from INTEGER NOT NULL \
    )";

statements! {
    SERVER = "SELECT current_setting('server_encoding') = 'UTF8' AS unicode, \
        current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on' AS durable";
    VERSION = "SELECT version, runs_from FROM keygate_schema";
    SET_VERSION = "INSERT INTO keygate_schema (singleton, version, runs_from) VALUES (1, $1, $2) \
        ON CONFLICT (singleton) DO UPDATE \
        SET version = excluded.version, runs_from = excluded.runs_from";
    FOREIGN = "SELECT 1 WHERE to_regclass('accounts') IS NOT NULL";
}

/// Brings the schema up to date, all or nothing. `name` is the database's, for errors.
pub(crate) async fn run(database: &Database, name: &str) -> Result<(), StorageError> {
    let mut connection = database.begin("BEGIN").await?;
    migrate(&mut connection, name).await?;
    connection.end("COMMIT").await
}

async fn migrate(db: &mut PgConnection, name: &str) -> Result<(), StorageError> {
    raw_sql(LOCK).execute(&mut *db).await.map_err(unavailable)?;
    let found = optional(db, query(VERSION), |row| {
        Ok((column(row.0, "version")?, column(row.0, "runs_from")?))
    });
    let (version, runs_from): (i32, i32) = match found.await? {
        Some(found) => found,
        None if optional(db, query(FOREIGN), |_| Ok(())).await?.is_some() => {
            return Err(StorageError::Foreign(name.to_owned()));
        }
        None => (0, 0),
    };
    let known = known_version();
    if version >= known {
        return if runs_from <= known {
            Ok(())
        } else {
            Err(StorageError::Newer {
                found: version.into(),
                known: known.into(),
            })
        };
    }
    let done = usize::try_from(version).map_err(|_| StorageError::Foreign(name.to_owned()))?;
    let mut runs_from = runs_from;
    for migration in &MIGRATIONS[done..] {
        raw_sql(migration.sql)
            .execute(&mut *db)
            .await
            .map_err(unavailable)?;
        runs_from = migration.runs_from;
    }
    let set = query(SET_VERSION).bind(known).bind(runs_from);
    execute(db, set).await.map(|_| ())
}

fn known_version() -> i32 {
    i32::try_from(MIGRATIONS.len()).expect("few migrations")
}

/// Refuses a server that cannot keep every name, and warns of one that forgets what it acknowledged
/// when its power fails.
pub(crate) async fn look_at_server(database: &Database) -> Result<(), StorageError> {
    let found = database.read(|db| {
        optional(db, query(SERVER), |row| {
            Ok((row.flag("durable")?, row.flag("unicode")?))
        })
        .boxed()
    });
    let (durable, unicode) = found.await?.unwrap_or_default();
    if !unicode {
        let why = "the database's encoding must be UTF8".to_owned();
        return Err(StorageError::Unavailable(why));
    }
    if !durable {
        tracing::warn!(
            "the server runs with fsync or full_page_writes off: what it acknowledges can be lost"
        );
    }
    Ok(())
}
