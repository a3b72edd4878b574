use keygate_storage::StorageError;
use keygate_storage_sql::Columns;
use sqlx::{Decode, Postgres, Row, Type, postgres::PgRow, types::Uuid};

use crate::error::storage_error;

/// A column as what PostgreSQL has in it.
pub(crate) fn column<'r, T: Decode<'r, Postgres> + Type<Postgres>>(
    row: &'r PgRow,
    name: &str,
) -> Result<T, StorageError> {
    row.try_get(name).map_err(storage_error)
}

/// A row of PostgreSQL.
pub(crate) struct PostgresRow<'a>(pub(crate) &'a PgRow);

impl Columns for PostgresRow<'_> {
    fn number(&self, name: &str) -> Result<Option<i64>, StorageError> {
        column(self.0, name)
    }

    fn text(&self, name: &str) -> Result<Option<String>, StorageError> {
        column(self.0, name)
    }

    fn id(&self, name: &str) -> Result<Option<[u8; 16]>, StorageError> {
        let id: Option<Uuid> = column(self.0, name)?;
        Ok(id.map(Uuid::into_bytes))
    }

    fn hash(&self, name: &str) -> Result<Option<[u8; 32]>, StorageError> {
        column(self.0, name)
    }

    fn flag(&self, name: &str) -> Result<bool, StorageError> {
        column(self.0, name)
    }
}
