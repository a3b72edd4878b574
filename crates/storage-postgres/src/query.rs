//! The few ways in which statements are run.

use keygate_storage::StorageError;
use sqlx::{PgConnection, Postgres, postgres::PgArguments, query::Query};

use crate::{error::storage_error, row::PostgresRow};

/// A statement with what is bound to it.
pub(crate) type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// Runs a statement; gives the number of rows it changed.
pub(crate) async fn execute(
    db: &mut PgConnection,
    statement: Statement<'_>,
) -> Result<u64, StorageError> {
    let done = statement.execute(db).await.map_err(storage_error)?;
    Ok(done.rows_affected())
}

/// The rows of a query, each read by `read`.
pub(crate) async fn all<T>(
    db: &mut PgConnection,
    statement: Statement<'_>,
    mut read: impl FnMut(&PostgresRow<'_>) -> Result<T, StorageError>,
) -> Result<Vec<T>, StorageError> {
    let rows = statement.fetch_all(db).await.map_err(storage_error)?;
    rows.iter().map(|row| read(&PostgresRow(row))).collect()
}

/// The one row of a query, if there is any.
pub(crate) async fn optional<T>(
    db: &mut PgConnection,
    statement: Statement<'_>,
    read: impl Fn(&PostgresRow<'_>) -> Result<T, StorageError>,
) -> Result<Option<T>, StorageError> {
    let row = statement.fetch_optional(db).await.map_err(storage_error)?;
    row.as_ref().map(|row| read(&PostgresRow(row))).transpose()
}

/// Whether a query finds anything.
pub(crate) async fn exists(
    db: &mut PgConnection,
    statement: Statement<'_>,
) -> Result<bool, StorageError> {
    Ok(optional(db, statement, |_| Ok(())).await?.is_some())
}
