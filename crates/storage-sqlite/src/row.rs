use keygate_storage::StorageError;
use keygate_storage_sql::Columns;
use rusqlite::types::FromSql;

use crate::error::storage_error;

/// A row of SQLite.
pub(crate) struct Row<'a>(pub(crate) &'a rusqlite::Row<'a>);

impl Row<'_> {
    fn column<T: FromSql>(&self, name: &str) -> Result<T, StorageError> {
        self.0.get(name).map_err(storage_error)
    }
}

impl Columns for Row<'_> {
    fn number(&self, name: &str) -> Result<Option<i64>, StorageError> {
        self.column(name)
    }

    fn text(&self, name: &str) -> Result<Option<String>, StorageError> {
        self.column(name)
    }

    fn id(&self, name: &str) -> Result<Option<[u8; 16]>, StorageError> {
        self.column(name)
    }

    fn hash(&self, name: &str) -> Result<Option<[u8; 32]>, StorageError> {
        self.column(name)
    }

    fn flag(&self, name: &str) -> Result<bool, StorageError> {
        self.column(name)
    }
}
