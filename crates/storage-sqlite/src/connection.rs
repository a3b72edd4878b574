use std::{fs::File, io::ErrorKind, os::unix::fs::OpenOptionsExt, path::Path};

use keygate_storage::StorageError;
use rusqlite::{Connection, OpenFlags};

use crate::error::unavailable;

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

pub(crate) fn open_writer(path: &Path) -> Result<Connection, StorageError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(unavailable)
}

/// Makes a new database's file for this user alone; SQLite gives its other files the same mode.
pub(crate) fn make_private(path: &Path) -> Result<(), StorageError> {
    let mut options = File::options();
    let made = options.write(true).create_new(true).mode(0o600).open(path);
    match made {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(StorageError::unavailable(
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
