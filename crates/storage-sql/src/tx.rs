use futures_util::future::BoxFuture;
use keygate_core::key::KeyHash;
use keygate_storage::StorageError;

use crate::{Columns, Statement, Value};

/// Whose words a database understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite's. Its futures are ready at once.
    Sqlite,
    /// PostgreSQL's.
    Postgres,
}

/// What is done with each row of an answer.
pub type RowReader<'a> = &'a mut (dyn FnMut(&dyn Columns) -> Result<(), StorageError> + Send);

/// A connection on which something is read.
pub trait Read: Send {
    /// Whose words it understands.
    fn dialect(&self) -> Dialect;

    /// Hands each row that a statement finds to `read`.
    fn rows<'a>(
        &'a mut self,
        statement: &'static Statement,
        values: &'a [Value<'a>],
        read: RowReader<'a>,
    ) -> BoxFuture<'a, Result<(), StorageError>>;
}

/// A transaction.
pub trait Tx: Read {
    /// Runs a statement; gives the number of rows that it changed.
    fn execute<'a>(
        &'a mut self,
        statement: &'static Statement,
        values: &'a [Value<'a>],
    ) -> BoxFuture<'a, Result<u64, StorageError>>;

    /// What is known of a key is out of date once this is committed: every process is told before the commit
    /// is acknowledged.
    fn key_changed(&mut self, hash: KeyHash);

    /// A key exists once this is committed, which this process may have asked for before. Others are not told:
    /// what they know of keys that do not exist they forget within the lease, and whoever tells them waits for
    /// all who do.
    fn key_issued(&mut self, hash: KeyHash);

    /// Waits for whoever else holds what this statement locks, until the end of the transaction. False, at once,
    /// where nobody else writes: what was read before is as it was.
    fn lock<'a>(
        &'a mut self,
        statement: &'static Statement,
        values: &'a [Value<'a>],
    ) -> BoxFuture<'a, Result<bool, StorageError>> {
        Box::pin(async move {
            let is_shared = self.dialect() == Dialect::Postgres;
            if is_shared {
                self.execute(statement, values).await?;
            }
            Ok(is_shared)
        })
    }
}

/// The rows of a query, each read by `read`.
pub async fn all<T: Send>(
    db: &mut dyn Read,
    statement: &'static Statement,
    values: &[Value<'_>],
    read: impl Fn(&dyn Columns) -> Result<T, StorageError> + Send + Sync,
) -> Result<Vec<T>, StorageError> {
    let mut found = Vec::new();
    db.rows(statement, values, &mut |row| {
        found.push(read(row)?);
        Ok(())
    })
    .await?;
    Ok(found)
}

/// The one row of a query, if there is any.
pub async fn optional<T: Send>(
    db: &mut dyn Read,
    statement: &'static Statement,
    values: &[Value<'_>],
    read: impl Fn(&dyn Columns) -> Result<T, StorageError> + Send + Sync,
) -> Result<Option<T>, StorageError> {
    Ok(all(db, statement, values, read).await?.pop())
}

/// Whether a query finds anything.
pub async fn exists(
    db: &mut dyn Read,
    statement: &'static Statement,
    values: &[Value<'_>],
) -> Result<bool, StorageError> {
    Ok(optional(db, statement, values, |_| Ok(())).await?.is_some())
}
