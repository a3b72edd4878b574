use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use keygate_storage::{
    StorageError,
    tables::{RowKey, Table, TableReader, TableRow},
};
use parking_lot::Mutex;
use rusqlite::Connection;

use keygate_storage_sql::refuse_unfinished_copy;

use crate::{
    connection::open_source,
    error::storage_error,
    generation, migrations, tables,
    tx::{Reading, at_once},
};

/// One state of a database, for as long as this lives, while another process may go on changing it.
pub struct SqliteReader {
    connection: Arc<Mutex<Connection>>,
}

impl SqliteReader {
    /// Opens a database whose schema is that of this program.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        if !path.exists() {
            let why = format!("{} does not exist", path.display());
            return Err(StorageError::unavailable(why));
        }
        generation::refuse_foreign_log(path)?;
        let mut connection = open_source(path)?;
        migrations::refuse_other_version(&connection, path)?;
        // A transaction has its snapshot from its first reading on.
        connection
            .execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema")
            .map_err(storage_error)?;
        at_once(refuse_unfinished_copy(&mut Reading(&mut connection)))?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let connection = self.connection.clone();
        tokio::task::spawn_blocking(move || work(&connection.lock()))
            .await
            .map_err(StorageError::internal)?
    }
}

#[async_trait]
impl TableReader for SqliteReader {
    async fn read_rows(
        &self,
        table: &'static Table,
        after: Option<RowKey>,
        limit: u32,
    ) -> Result<Vec<TableRow>, StorageError> {
        self.read(move |db| tables::read_rows(db, table, after.as_ref(), limit))
            .await
    }

    async fn count_rows(&self, table: &'static Table) -> Result<u64, StorageError> {
        self.read(move |db| tables::count_rows(db, table)).await
    }
}
