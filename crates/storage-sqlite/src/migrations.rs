use std::{collections::BTreeSet, path::Path};

use keygate_storage::StorageError;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::{connection::prepare_writer, error::storage_error, generation};

/// What makes schema version 1, 2 and so on: the files in `migrations/`. Released ones are never edited.
const MIGRATIONS: &[&str] = &include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// "KGAT": marks the file as keygate's (`PRAGMA application_id`).
pub(crate) const APPLICATION_ID: i64 = 0x4b47_4154;

/// Brings the schema up to date, under a lock, all or nothing. Where it is, nothing is written: a server
/// starts on a full disk, too.
pub(crate) fn run(connection: &mut Connection, path: &Path) -> Result<(), StorageError> {
    let version = refuse_unknown(connection, path)?;
    prepare_writer(connection).map_err(storage_error)?;
    if version == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Exclusive)
        .map_err(storage_error)?;
    let version = refuse_unknown(&transaction, path)?;
    for migration in &MIGRATIONS[version..] {
        transaction
            .execute_batch(migration)
            .map_err(storage_error)?;
    }
    let set = |name, value: i64| transaction.pragma_update(None, name, value);
    set("application_id", APPLICATION_ID).map_err(storage_error)?;
    set("user_version", known_version()).map_err(storage_error)?;
    transaction.commit().map_err(storage_error)
}

/// Refuses a database that is not at this program's schema version.
pub(crate) fn refuse_other_version(
    connection: &Connection,
    path: &Path,
) -> Result<(), StorageError> {
    if refuse_unknown(connection, path)? == MIGRATIONS.len() {
        return Ok(());
    }
    Err(StorageError::unavailable(format!(
        "{} was written by an earlier keygate; start this one on it once",
        path.display()
    )))
}

/// Refuses a file that is not a keygate database that this program knows, or has nothing in it.
pub(crate) fn refuse_unknown_or_empty(
    connection: &Connection,
    path: &Path,
) -> Result<(), StorageError> {
    match refuse_unknown(connection, path)? {
        0 => Err(StorageError::Foreign(path.display().to_string())),
        _ => Ok(()),
    }
}

/// The schema version of a database that is only looked at.
pub(crate) fn version(connection: &Connection, path: &Path) -> Result<i64, StorageError> {
    let version = refuse_unknown(connection, path)?;
    Ok(i64::try_from(version).expect("few migrations"))
}

/// The schema version, where the file is new or one of ours that this program knows.
fn refuse_unknown(connection: &Connection, path: &Path) -> Result<usize, StorageError> {
    let number = |sql: &str| -> Result<i64, StorageError> {
        connection
            .query_row(sql, [], |row| row.get(0))
            .map_err(|error| unreadable(error, path))
    };
    let version = number("PRAGMA user_version")?;
    let application = number("PRAGMA application_id")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    match (application, tables) {
        (APPLICATION_ID, _) if version > known_version() => Err(StorageError::Newer {
            found: version,
            known: known_version(),
        }),
        (APPLICATION_ID, _) => {
            usize::try_from(version).map_err(|_| StorageError::Foreign(path.display().to_string()))
        }
        (0, 0) if version == 0 => Ok(0),
        _ => Err(StorageError::Foreign(path.display().to_string())),
    }
}

/// Refuses a schema that is not what the migrations up to its version make: something is missing, or there is
/// already what later ones make.
pub(crate) fn refuse_changed(
    connection: &Connection,
    path: &Path,
    version: i64,
) -> Result<(), StorageError> {
    let done = usize::try_from(version).unwrap_or(0).min(MIGRATIONS.len());
    let (of_version, of_program) = (columns_made(done)?, columns_made(MIGRATIONS.len())?);
    let found = columns(connection)?;
    let missing = of_version.difference(&found);
    let early = of_program
        .difference(&of_version)
        .filter(|column| found.contains(*column));
    let Some((table, column)) = missing.chain(early).next() else {
        return Ok(());
    };
    Err(StorageError::unsuitable(format!(
        "{} says that its schema has version {version}, which does not go with {table}.{column}: it was changed by hand. Take that back, or restore a backup (keygate restore FILE)",
        path.display()
    )))
}

/// Every column, with its table.
type Columns = BTreeSet<(String, String)>;

/// What the first of the migrations make.
fn columns_made(count: usize) -> Result<Columns, StorageError> {
    let made = Connection::open_in_memory().map_err(storage_error)?;
    for migration in &MIGRATIONS[..count] {
        made.execute_batch(migration).map_err(storage_error)?;
    }
    columns(&made)
}

fn columns(connection: &Connection) -> Result<Columns, StorageError> {
    const ALL: &str = "SELECT t.name, c.name FROM sqlite_schema AS t \
        JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table'";
    let read = || {
        let mut all = connection.prepare(ALL)?;
        let all = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        all.collect::<rusqlite::Result<_>>()
    };
    read().map_err(storage_error)
}

/// A file that is no database is another program's; one that cannot be read may well be ours.
fn unreadable(error: rusqlite::Error, path: &Path) -> StorageError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) if generation::is_recorded(path) => {
            StorageError::damaged(format!("{} no longer begins as one", path.display()))
        }
        Some(ErrorCode::NotADatabase) => StorageError::Foreign(path.display().to_string()),
        Some(ErrorCode::DatabaseCorrupt) => storage_error(error),
        _ => {
            let why = format!("{} cannot be read: {error}", path.display());
            StorageError::unavailable(why)
        }
    }
}

pub(crate) fn known_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("few migrations")
}
