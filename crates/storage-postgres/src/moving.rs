//! The two ends of a copy: a source that is read as one state, and a target that nobody else uses.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{FutureExt, future::BoxFuture};
use keygate_storage::{
    ChangeListeners, StorageError,
    tables::{RowKey, Table, TableReader, TableRow, TableStore},
};
use keygate_storage_sql::{mark_unfinished_copy, refuse_unfinished_copy};
use sqlx::PgConnection;
use tokio::sync::Mutex;

use crate::{
    PostgresOptions,
    database::{Borrowed, Database},
    error::storage_error,
    migrations,
    requirements::require,
    shares::Purpose,
    tables,
    tx::Reading,
    usage_lock::{self, Taken},
    write::{self, Write},
};

/// Every statement of the transaction sees what the first one saw.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// One state of a database, for as long as this lives, while nodes go on changing it.
pub struct PostgresReader {
    snapshot: Mutex<Borrowed>,
    database: Database,
}

impl PostgresReader {
    /// Opens a database whose schema is that of this program, and changes nothing in it.
    pub async fn open(options: &PostgresOptions) -> Result<Self, StorageError> {
        let database = database(options, 1)?;
        let mut snapshot = database.begin(SNAPSHOT).await?;
        let name = options.name();
        let current = migrations::require_current(&mut snapshot, &name);
        database.in_time(current).await?;
        database
            .in_time(refuse_unfinished_copy(&mut Reading(&mut snapshot)))
            .await?;
        Ok(Self {
            snapshot: Mutex::new(snapshot),
            database,
        })
    }
}

#[async_trait]
impl TableReader for PostgresReader {
    async fn read_rows(
        &self,
        table: &'static Table,
        after: Option<RowKey>,
        limit: u32,
    ) -> Result<Vec<TableRow>, StorageError> {
        let mut snapshot = self.snapshot.lock().await;
        let rows = tables::read_rows(&mut snapshot, table, after, limit);
        self.database.in_time(rows).await
    }

    async fn count_rows(&self, table: &'static Table) -> Result<u64, StorageError> {
        let mut snapshot = self.snapshot.lock().await;
        let count = tables::count_rows(&mut snapshot, table);
        self.database.in_time(count).await
    }
}

/// Why a database cannot be copied into.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Nodes use it.
    #[error("{database} is in use by running nodes, {nodes} of them")]
    InUse {
        /// The database's name.
        database: String,
        /// How many they are.
        nodes: u64,
    },
    /// Another copy is being made into it.
    #[error("another copy is being made into {0}")]
    Copying(String),
    /// It failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A database to be copied into, in which no node works meanwhile.
pub struct PostgresTarget {
    database: Database,
    /// Nobody in this process keeps anything in memory. The other nodes are told by the feed.
    listeners: Arc<ChangeListeners>,
    lock: Borrowed,
}

impl PostgresTarget {
    /// Opens a database that no node uses, and brings its schema up to date.
    pub async fn open(options: &PostgresOptions) -> Result<Self, TargetError> {
        let database = database(options, 2)?;
        let mut lock = database.borrow_for(Purpose::Lookup).await?;
        match database.in_time(usage_lock::take(&mut lock)).await? {
            Taken::Yes => {}
            Taken::SharedByNodes(0) => return Err(TargetError::Copying(options.name())),
            Taken::SharedByNodes(nodes) => {
                return Err(TargetError::InUse {
                    database: options.name(),
                    nodes,
                });
            }
        }
        let name = options.name();
        database.in_time(require(&mut lock, &name)).await?;
        migrations::run(&database, &name).await?;
        Ok(Self {
            database,
            listeners: Arc::default(),
            lock,
        })
    }

    /// Closes the connections, and with them the lock.
    pub async fn close(self) {
        drop(self.lock);
        self.database.close().await;
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a mut Write) -> BoxFuture<'a, Result<T, StorageError>> + Clone,
    ) -> Result<T, StorageError> {
        write::write(&self.database, &self.listeners, work).await
    }

    async fn read<T>(
        &self,
        work: impl for<'a> Fn(&'a mut PgConnection) -> BoxFuture<'a, Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        self.database.read(work).await
    }
}

#[async_trait]
impl TableReader for PostgresTarget {
    async fn read_rows(
        &self,
        table: &'static Table,
        after: Option<RowKey>,
        limit: u32,
    ) -> Result<Vec<TableRow>, StorageError> {
        self.read(move |db| tables::read_rows(db, table, after.clone(), limit).boxed())
            .await
    }

    async fn count_rows(&self, table: &'static Table) -> Result<u64, StorageError> {
        self.read(move |db| tables::count_rows(db, table).boxed())
            .await
    }
}

#[async_trait]
impl TableStore for PostgresTarget {
    async fn write_rows(
        &self,
        table: &'static Table,
        rows: Vec<TableRow>,
    ) -> Result<(), StorageError> {
        self.write(move |db| {
            async move {
                db.everything_changed();
                tables::write_rows(db, table, rows).await
            }
            .boxed()
        })
        .await
    }

    async fn delete_rows(
        &self,
        table: &'static Table,
        keys: Vec<RowKey>,
    ) -> Result<(), StorageError> {
        self.write(move |db| {
            async move {
                db.everything_changed();
                tables::delete_rows(db, table, keys).await
            }
            .boxed()
        })
        .await
    }

    async fn mark_unfinished(&self, is_unfinished: bool) -> Result<(), StorageError> {
        self.write(move |db| mark_unfinished_copy(db, is_unfinished).boxed())
            .await
    }
}

fn database(options: &PostgresOptions, connections: u32) -> Result<Database, StorageError> {
    let connect = options.connect().map_err(storage_error)?;
    let deadline = options.statement_timeout;
    Ok(Database::new(connect, options, connections, deadline))
}
