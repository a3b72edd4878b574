//! The few ways in which statements are run.

use keygate_storage::StorageError;
use rusqlite::{Connection, Params};

use crate::{error::storage_error, row::Row};

/// Runs a statement; gives the number of rows it changed.
pub(crate) fn execute(
    db: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<usize, StorageError> {
    db.prepare_cached(sql)
        .and_then(|mut statement| statement.execute(params))
        .map_err(storage_error)
}

/// The rows of a query, each read by `read`.
pub(crate) fn all<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T, StorageError>,
) -> Result<Vec<T>, StorageError> {
    let mut statement = db.prepare_cached(sql).map_err(storage_error)?;
    let mut rows = statement.query(params).map_err(storage_error)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(storage_error)? {
        found.push(read(&Row(row))?);
    }
    Ok(found)
}

/// The one row of a query, if there is any.
pub(crate) fn optional<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, StorageError>,
) -> Result<Option<T>, StorageError> {
    Ok(all(db, sql, params, read)?.pop())
}

/// Whether a query finds anything.
pub(crate) fn exists(
    db: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<bool, StorageError> {
    db.prepare_cached(sql)
        .and_then(|mut statement| statement.exists(params))
        .map_err(storage_error)
}
