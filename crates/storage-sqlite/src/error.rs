use keygate_storage::StorageError;
use rusqlite::{Error, ErrorCode};

/// What SQLite said, by what is to be done about it.
pub(crate) fn storage_error(error: Error) -> StorageError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StorageError::damaged(error),
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::DiskFull
            | ErrorCode::ReadOnly
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::NoLargeFileSupport
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::OperationAborted,
        ) => StorageError::unavailable(error),
        _ => StorageError::internal(error),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, ffi};

    use super::*;

    fn failed(code: i32) -> StorageError {
        storage_error(Error::SqliteFailure(ffi::Error::new(code), None))
    }

    #[test]
    fn what_keeps_sqlite_from_its_file_is_no_fault_of_keygates() {
        for code in [
            ffi::SQLITE_IOERR,
            ffi::SQLITE_FULL,
            ffi::SQLITE_READONLY_DBMOVED,
            ffi::SQLITE_CANTOPEN,
            ffi::SQLITE_BUSY,
            ffi::SQLITE_NOMEM,
        ] {
            assert!(
                matches!(failed(code), StorageError::Unavailable(_)),
                "{code}"
            );
        }
        for code in [ffi::SQLITE_CORRUPT_INDEX, ffi::SQLITE_NOTADB] {
            assert!(failed(code).to_string().contains("damaged"), "{code}");
        }
        for code in [
            ffi::SQLITE_CONSTRAINT_UNIQUE,
            ffi::SQLITE_ERROR,
            ffi::SQLITE_MISUSE,
        ] {
            assert!(failed(code).is_internal(), "{code}");
        }
    }

    #[test]
    fn statements_that_cannot_be_run_are_a_fault() {
        let db = Connection::open_in_memory().expect("memory is there");
        let missing = db.prepare("SELECT 1 FROM nowhere").expect_err("no table");
        assert!(storage_error(missing).is_internal());
        let text = db.query_row("SELECT 'text'", [], |row| row.get::<_, i64>(0));
        assert!(storage_error(text.expect_err("no number")).is_internal());
    }
}
