use std::{fs::File, io::ErrorKind, os::unix::fs::OpenOptionsExt, path::Path};

use keygate_storage::StorageError;
use rusqlite::{Connection, OpenFlags};

use crate::error::unavailable;

/// SQLite before 3.51.3 can corrupt a database in WAL mode when a checkpoint races a writer.
const OLDEST_LIBRARY: i32 = 3_051_003;

pub(crate) fn check_library_version() -> Result<(), StorageError> {
    if rusqlite::version_number() >= OLDEST_LIBRARY {
        return Ok(());
    }
    Err(StorageError::Unavailable(format!(
        "SQLite {} is too old: 3.51.3 or later is needed",
        rusqlite::version()
    )))
}

pub(crate) fn open_writer(path: &Path) -> Result<Connection, StorageError> {
    make_private(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(unavailable)
}

/// Makes a new database's file for this user alone; SQLite gives its other files the same mode.
fn make_private(path: &Path) -> Result<(), StorageError> {
    let mut options = File::options();
    let made = options.write(true).create_new(true).mode(0o600).open(path);
    match made {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(StorageError::Unavailable(
            format!("{} cannot be made: {error}", path.display()),
        )),
        _ => Ok(()),
    }
}

/// Settings that hold for the writing connection, once the file is known to be ours.
pub(crate) fn prepare_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

pub(crate) fn open_reader(path: &Path) -> Result<Connection, StorageError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(unavailable)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}
