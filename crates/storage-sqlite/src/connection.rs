use std::{fs::File, io::ErrorKind, os::unix::fs::OpenOptionsExt, path::Path};

use keygate_storage::StorageError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rusqlite::{Connection, MAIN_DB, OpenFlags, config::DbConfig};
use rustix::{
    fs::{Access, access},
    io::Errno,
};

use crate::{
    error::storage_error,
    files::{beside, folder_of},
};

/// SQLite before 3.51.3 can corrupt a database in WAL mode when a checkpoint races a writer.
const OLDEST_LIBRARY: i32 = 3_051_003;

/// Refuses a library that is too old; `version` is its number, like 3051003.
pub(crate) fn check_library_version(version: i32) -> Result<(), StorageError> {
    if version >= OLDEST_LIBRARY {
        return Ok(());
    }
    let (major, minor, patch) = (
        version / 1_000_000,
        version / 1_000 % 1_000,
        version % 1_000,
    );
    Err(StorageError::unavailable(format!(
        "SQLite {major}.{minor}.{patch} is too old: 3.51.3 or later is needed"
    )))
}

/// How the file is opened for reading.
pub(crate) type OpenReader = fn(&Path) -> Result<Connection, StorageError>;

pub(crate) fn open_writer(path: &Path) -> Result<Connection, StorageError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(storage_error)?;
    // SQLite opens a file that it may not write to for reading, and would do so for good.
    if connection.is_readonly(MAIN_DB).map_err(storage_error)? {
        let why = format!("{} can only be read, not written to", path.display());
        return Err(StorageError::unavailable(why));
    }
    Ok(connection)
}

/// Makes a new database's file for this user alone; SQLite gives its other files the same mode.
pub(crate) fn make_private(path: &Path) -> Result<(), StorageError> {
    if path.exists() {
        return Ok(());
    }
    let mut options = File::options();
    let made = options.write(true).create_new(true).mode(0o600).open(path);
    match made {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(StorageError::unavailable(
            format!("{} cannot be created: {error}", path.display()),
        )),
        _ => Ok(()),
    }
}

/// Settings that hold for the writing connection, once the file is known to be ours.
pub(crate) fn prepare_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    // The writer does it, who hears of failures.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

pub(crate) fn open_reader(path: &Path) -> Result<Connection, StorageError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(storage_error)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Opens a database that is read for long, which another process may go on changing.
pub(crate) fn open_source(path: &Path) -> Result<Connection, StorageError> {
    // Nobody changes anything there, and SQLite could not make the files by which readers and writers agree.
    if matches!(access(folder_of(path), Access::WRITE_OK), Err(Errno::ROFS)) {
        return open_untouched(path);
    }
    open_reader(path)
}

const IN_A_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_');

/// A file's path with parameters, as SQLite takes them.
pub(crate) fn path_uri(path: &Path, parameters: &str) -> String {
    let path = path.to_string_lossy();
    format!(
        "file:{}?{parameters}",
        utf8_percent_encode(&path, IN_A_PATH)
    )
}

/// Opens a database for reading without making any file: SQLite makes some beside a database in WAL
/// mode even for reading. Where there is no log, the file is read as it lies, and what is written to
/// it later is not seen.
pub(crate) fn open_as_it_lies(path: &Path) -> Result<Connection, StorageError> {
    if has_log(path) {
        return open_reader(path);
    }
    open_unchanging(path)
}

/// Opens the file alone for reading, whatever lies beside it. Nobody may write to it meanwhile.
pub(crate) fn open_unchanging(path: &Path) -> Result<Connection, StorageError> {
    let uri = path_uri(path, "immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags).map_err(storage_error)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Opens a database that no other process has open, with its log, and touches no file: not even the index
/// of the log, which is made in memory.
pub(crate) fn open_untouched(path: &Path) -> Result<Connection, StorageError> {
    if !has_log(path) {
        return open_unchanging(path);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags_and_vfs(path, flags, WITHOUT_LOCKS);
    let connection = opened.map_err(storage_error)?;
    let prepare = || {
        // Else it would write the log back, and remove it.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.pragma_update(None, "locking_mode", "exclusive")
    };
    prepare().map_err(storage_error)?;
    Ok(connection)
}

/// SQLite's name for files as they are on Unix, without the locks that would have to be written for.
const WITHOUT_LOCKS: &str = "unix-none";

/// Whether there is anything in a database's log.
pub(crate) fn has_log(path: &Path) -> bool {
    let log = beside(path, "-wal").metadata();
    log.is_ok_and(|log| log.len() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_library_is_refused() {
        check_library_version(rusqlite::version_number()).expect("the bundled one will do");
        check_library_version(3_051_003).expect("the oldest that will do");
        let refused = check_library_version(3_051_002).expect_err("it can corrupt a database");
        assert!(
            refused.to_string().contains("SQLite 3.51.2 is too old"),
            "{refused}"
        );
    }

    #[test]
    fn the_writer_syncs_and_keeps_references_whole() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let path = folder.path().join("keygate.db");
        make_private(&path).expect("it is made");
        let writer = open_writer(&path).expect("it opens");
        prepare_writer(&writer).expect("it is prepared");
        let pragma = |name: &str| -> String {
            let read = |row: &rusqlite::Row<'_>| row.get::<_, rusqlite::types::Value>(0);
            format!(
                "{:?}",
                writer
                    .pragma_query_value(None, name, read)
                    .expect("it answers")
            )
        };
        assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
        assert_eq!(pragma("synchronous"), "Integer(2)", "2 is FULL");
        assert_eq!(pragma("foreign_keys"), "Integer(1)");
    }
}
