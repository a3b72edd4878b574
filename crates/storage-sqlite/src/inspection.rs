use std::path::Path;

use keygate_core::Timestamp;
use keygate_storage::StorageError;
use rusqlite::Connection;

use crate::{connection::open_as_it_lies, error::unavailable, generation, migrations};

/// What an operator wants to know of a database before a server opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inspection {
    /// Its schema version; 0 where nothing is in it yet.
    pub version: i64,
    /// The latest schema version that this program knows.
    pub known: i64,
    /// When the newest change was made that is on record.
    pub newest_entry: Option<Timestamp>,
}

impl Inspection {
    /// Looks at the database at `path`, which another process may have open, and leaves everything
    /// as it is.
    ///
    /// Fails where it is no keygate database, or where a later version wrote it.
    pub fn of(path: &Path) -> Result<Self, StorageError> {
        generation::refuse_foreign_log(path)?;
        let connection = open_as_it_lies(path)?;
        let version = migrations::version(&connection, path)?;
        Ok(Self {
            version,
            known: migrations::known_version(),
            newest_entry: if version > 0 {
                newest_entry(&connection)?
            } else {
                None
            },
        })
    }
}

const NEWEST: &str = "SELECT max(at) FROM audit_entries";

fn newest_entry(connection: &Connection) -> Result<Option<Timestamp>, StorageError> {
    let millis: Option<i64> = connection
        .query_row(NEWEST, [], |row| row.get(0))
        .map_err(unavailable)?;
    Ok(millis.map(Timestamp::from_millis))
}
