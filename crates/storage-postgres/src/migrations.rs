//! The schema, and which programs run on it.

use keygate_storage::StorageError;
use sqlx::{PgConnection, query, raw_sql};

use crate::{
    database::Database,
    error::storage_error,
    query::{execute, exists, optional},
    row::column,
    statements::statements,
    write,
};

/// What makes schema version 1, 2 and so on: the files in `migrations/`. Released ones are never edited.
const MIGRATIONS: &[&str] = &include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// The versions whose schema only programs of that version or a later one run on. Those between only add to the
/// schema, so that nodes can be replaced one by one.
const BREAKING: [i32; 3] = [1, 2, 3];

/// The oldest schema version whose programs run on this one.
fn runs_from(version: i32) -> i32 {
    let breaking = BREAKING.into_iter().filter(|one| *one <= version);
    breaking.max().unwrap_or(0)
}

/// One node at a time; the others find it done. "kgmi"
const LOCK: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
    SELECT pg_advisory_xact_lock(1802988905)";

/// Made only where it is missing: even `IF NOT EXISTS` asks for the right to make tables, which a node's
/// role need not have on a schema that is up to date.
const CREATE: &str = "CREATE TABLE keygate_schema ( \
        singleton INTEGER PRIMARY KEY CHECK (singleton = 1), \
        version INTEGER NOT NULL, \
        runs_from INTEGER NOT NULL \
    )";

/// Read from the catalogue as it is now: what `to_regclass` has once not found it may go on not finding until the
/// transaction ends, though another node has made it meanwhile.
macro_rules! table_is_there {
    ($name:literal) => {
        concat!(
            "SELECT 1 FROM pg_catalog.pg_class WHERE relname = '",
            $name,
            "' AND pg_catalog.pg_table_is_visible(oid)"
        )
    };
}

statements! {
    VERSION = "SELECT version, runs_from FROM keygate_schema";
    SET_VERSION = "INSERT INTO keygate_schema (singleton, version, runs_from) VALUES (1, $1, $2) \
        ON CONFLICT (singleton) DO UPDATE \
        SET version = excluded.version, runs_from = excluded.runs_from";
    IS_OURS = table_is_there!("keygate_schema");
    FOREIGN = table_is_there!("accounts");
}

/// Brings the schema up to date, all or nothing. `name` is the database's, for errors.
pub(crate) async fn run(database: &Database, name: &str) -> Result<(), StorageError> {
    let mut connection = database.begin(write::BEGIN).await?;
    if recorded(&mut connection, name).await?.0 >= known_version() {
        // Versions only grow: there is nothing to wait for, and nothing to make.
        return connection.end("COMMIT").await;
    }
    migrate(&mut connection, name).await?;
    connection.end("COMMIT").await
}

async fn migrate(db: &mut PgConnection, name: &str) -> Result<(), StorageError> {
    raw_sql(LOCK)
        .execute(&mut *db)
        .await
        .map_err(storage_error)?;
    if !exists(db, query(IS_OURS)).await? {
        refuse_foreign(db, name).await?;
        raw_sql(CREATE)
            .execute(&mut *db)
            .await
            .map_err(storage_error)?;
    }
    let (version, _) = recorded(db, name).await?;
    let known = known_version();
    if version >= known {
        return Ok(());
    }
    let done = usize::try_from(version).map_err(|_| StorageError::Foreign(name.to_owned()))?;
    for &migration in &MIGRATIONS[done..] {
        raw_sql(migration)
            .execute(&mut *db)
            .await
            .map_err(storage_error)?;
    }
    let set = query(SET_VERSION).bind(known).bind(runs_from(known));
    execute(db, set).await.map(|_| ())
}

/// The schema version that is on record, and which programs run on it; zeros where nothing of keygate's is
/// there yet. Fails where this program is not meant to run on it.
async fn recorded(db: &mut PgConnection, name: &str) -> Result<(i32, i32), StorageError> {
    let found = if exists(db, query(IS_OURS)).await? {
        let found = optional(db, query(VERSION), |row| {
            Ok((column(row.0, "version")?, column(row.0, "runs_from")?))
        });
        found.await?
    } else {
        None
    };
    let Some((version, runs_from)) = found else {
        refuse_foreign(db, name).await?;
        return Ok((0, 0));
    };
    refuse_newer(version, runs_from)?;
    Ok((version, runs_from))
}

/// Refuses a database in which another program has what keygate would make.
async fn refuse_foreign(db: &mut PgConnection, name: &str) -> Result<(), StorageError> {
    if exists(db, query(FOREIGN)).await? {
        return Err(StorageError::Foreign(name.to_owned()));
    }
    Ok(())
}

/// Refuses a schema that is not meant for this program.
fn refuse_newer(version: i32, runs_from: i32) -> Result<(), StorageError> {
    let known = known_version();
    if version <= known || runs_from <= known {
        return Ok(());
    }
    Err(StorageError::Newer {
        found: version.into(),
        known: known.into(),
    })
}

/// Whether keygate's tables are in the database.
pub(crate) async fn is_ours(db: &mut PgConnection) -> Result<bool, StorageError> {
    exists(db, query(IS_OURS)).await
}

/// Refuses a database that is not at this program's schema version.
pub(crate) async fn require_current(db: &mut PgConnection, name: &str) -> Result<(), StorageError> {
    if !is_ours(db).await? {
        return Err(StorageError::Foreign(name.to_owned()));
    }
    if version(db, name).await? >= known_version() {
        return Ok(());
    }
    Err(StorageError::unavailable(format!(
        "{name} was written by an earlier keygate; start this one on it once"
    )))
}

/// The schema version of a database that is only looked at.
pub(crate) async fn version(db: &mut PgConnection, name: &str) -> Result<i32, StorageError> {
    Ok(recorded(db, name).await?.0)
}

pub(crate) fn known_version() -> i32 {
    i32::try_from(MIGRATIONS.len()).expect("few migrations")
}
