use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use keygate_storage::{
    StorageError,
    tables::{Table, TableRow, TableStore, Value},
};

use crate::{migrations, readers::Readers, tables};

/// A database that is only read from, also while another process has it open.
pub struct SqliteReader {
    readers: Arc<Readers>,
}

impl SqliteReader {
    /// Opens a database whose schema is that of this program.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        if !path.exists() {
            let why = format!("{} does not exist", path.display());
            return Err(StorageError::unavailable(why));
        }
        migrations::require_current(path)?;
        Ok(Self {
            readers: Arc::new(Readers::open(path)?),
        })
    }
}

const READ_ONLY: &str = "the database is open for reading";

#[async_trait]
impl TableStore for SqliteReader {
    async fn read_rows(
        &self,
        table: &'static Table,
        after: Option<Value>,
        limit: u32,
    ) -> Result<Vec<TableRow>, StorageError> {
        self.readers
            .read(move |db| tables::read_rows(db, table, after.as_ref(), limit))
            .await
    }

    async fn write_rows(&self, _: &'static Table, _: Vec<TableRow>) -> Result<(), StorageError> {
        Err(StorageError::internal(READ_ONLY))
    }

    async fn delete_rows(&self, _: &'static Table, _: Vec<Value>) -> Result<(), StorageError> {
        Err(StorageError::internal(READ_ONLY))
    }

    async fn count_rows(&self, table: &'static Table) -> Result<u64, StorageError> {
        self.readers
            .read(move |db| tables::count_rows(db, table))
            .await
    }
}
