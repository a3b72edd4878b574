//! What has to be so before a database is served from. Nothing is changed by looking.

use std::{path::Path, time::SystemTime};

use keygate_core::Timestamp;
use keygate_storage::{KeyBindings, StorageError};
use keygate_storage_sql::{bindings, refuse_unfinished_copy};
use rusqlite::Connection;

use crate::{
    connection::{open_reader, open_untouched},
    error::storage_error,
    files::beside,
    generation, migrations, query,
    rights::refuse_without_rights,
    tx::{Reading, at_once},
};

/// The schema version since which it is noted what keys begin with.
const NOTES_PREFIX: i64 = 5;

/// What an operator wants to know of a database before a server opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Its schema version; 0 where nothing is in it yet.
    pub version: i64,
    /// The latest schema version that this program knows.
    pub known: i64,
    /// When the newest change was made that is on record.
    pub newest_entry: Option<Timestamp>,
    /// What its keys bind a server to.
    pub bindings: KeyBindings,
    /// Whether another process has it open.
    pub is_in_use: bool,
}

impl Inspection {
    /// Looks at the database at `path`, which another process may have open, and leaves everything
    /// as it is. Nothing, where it is still to be made, and can be.
    ///
    /// Fails by what a server would refuse to open.
    pub fn of(path: &Path) -> Result<Option<Self>, StorageError> {
        refuse_files(path)?;
        if !path.exists() {
            return Ok(None);
        }
        let is_in_use = generation::refuse_foreign_log(path)?;
        let mut connection = open(path, is_in_use)?;
        let version = refuse_unreadable(&connection, path)?;
        refuse_unfinished(&mut connection, version)?;
        let (bindings, newest_entry) = if version > 0 {
            let mut reading = Reading(&mut connection);
            let bindings = at_once(bindings(&mut reading, version >= NOTES_PREFIX))?;
            (bindings, newest_entry(&connection)?)
        } else {
            (KeyBindings::default(), None)
        };
        Ok(Some(Self {
            version,
            known: migrations::known_version(),
            newest_entry,
            bindings,
            is_in_use,
        }))
    }
}

/// Refuses what can be told of the files from the outside, before any is opened or made.
pub(crate) fn refuse_files(path: &Path) -> Result<(), StorageError> {
    refuse_without_rights(path)?;
    generation::refuse_emptied(path)
}

/// Refuses a database that is not this program's, and one with a table or an index of which not even the
/// beginning can be read. All of it is read by [`find_damage`], which takes its time.
pub(crate) fn refuse_unreadable(connection: &Connection, path: &Path) -> Result<i64, StorageError> {
    let version = migrations::version(connection, path)?;
    migrations::refuse_changed(connection, path, version)?;
    for (table, index) in query::all(connection, INDEXES, [], |row| {
        Ok((row.0.get::<_, String>(0), row.0.get::<_, Option<String>>(1)))
    })? {
        let (table, index) = (table.map_err(storage_error)?, index.map_err(storage_error)?);
        let by = index.map_or("NOT INDEXED".to_owned(), |index| {
            format!("INDEXED BY {}", quoted(&index))
        });
        let first = format!("SELECT 1 FROM {} {by} LIMIT 1", quoted(&table));
        let read = connection
            .prepare(&first)
            .and_then(|mut first| first.exists([]));
        read.map_err(storage_error)?;
    }
    Ok(version)
}

/// Refuses a database that is not yet all of what is copied into it.
pub(crate) fn refuse_unfinished(
    connection: &mut Connection,
    version: i64,
) -> Result<(), StorageError> {
    // Before this version nothing marked it.
    if version < migrations::known_version() {
        return Ok(());
    }
    at_once(refuse_unfinished_copy(&mut Reading(connection)))
}

/// Tables, and the indexes that have all of their rows.
const INDEXES: &str = "SELECT name, NULL FROM sqlite_schema WHERE type = 'table' \
    UNION ALL \
    SELECT t.name, i.name FROM sqlite_schema AS t JOIN pragma_index_list(t.name) AS i \
    WHERE t.type = 'table' AND i.partial = 0";

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Reads all of a database, which another process may go on changing, and fails where it is damaged.
pub fn find_damage(path: &Path) -> Result<(), StorageError> {
    let found = loop {
        let before = state(path);
        let found = read_all(path);
        // A server that began to use it meanwhile may have written to what was read without its locks.
        if found.is_ok() || state(path) == before {
            break found;
        }
    };
    found.map_err(|error| match error {
        StorageError::Damaged(cause) => {
            StorageError::damaged(format!("{}: {cause}", path.display()))
        }
        error => error,
    })
}

fn state(path: &Path) -> Vec<Option<(u64, Option<SystemTime>)>> {
    let files = ["", "-wal"].map(|suffix| beside(path, suffix));
    let state = |path: &std::path::PathBuf| {
        let file = path.metadata().ok()?;
        Some((file.len(), file.modified().ok()))
    };
    files.iter().map(state).collect()
}

fn read_all(path: &Path) -> Result<(), StorageError> {
    let is_in_use = generation::refuse_foreign_log(path)?;
    let connection = open(path, is_in_use)?;
    let said = query::all(&connection, CHECK, [], |row| {
        row.0.get::<_, String>(0).map_err(storage_error)
    })?;
    if said == ["ok"] {
        return Ok(());
    }
    let said: Vec<&str> = said.iter().flat_map(|found| found.lines()).collect();
    // The first line says of which database it is; there is one.
    let said = said.into_iter().filter(|line| !line.starts_with("***"));
    Err(StorageError::damaged(said.collect::<Vec<_>>().join("; ")))
}

/// As much of what is wrong as anybody wants to read.
const CHECK: &str = "PRAGMA integrity_check(3)";

fn open(path: &Path, is_in_use: bool) -> Result<Connection, StorageError> {
    // Whoever has only just locked it has no log yet, which SQLite would make.
    if is_in_use && beside(path, "-shm").exists() {
        open_reader(path)
    } else {
        open_untouched(path)
    }
}

const NEWEST: &str = "SELECT max(at) FROM audit_entries";

fn newest_entry(connection: &Connection) -> Result<Option<Timestamp>, StorageError> {
    let millis: Option<i64> = connection
        .query_row(NEWEST, [], |row| row.get(0))
        .map_err(storage_error)?;
    Ok(millis.map(Timestamp::from_millis))
}
