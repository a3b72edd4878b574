//! What is asked of SQLite, which answers at once.

use std::{future::ready, ops::Deref};

use futures_util::{FutureExt, future::BoxFuture};
use keygate_core::key::KeyHash;
use keygate_storage::StorageError;
use keygate_storage_sql::{Dialect, Read, RowReader, Statement, Tx, Value};
use rusqlite::{
    Connection, ToSql, params_from_iter,
    types::{ToSqlOutput, ValueRef},
};

use crate::query;

/// The outcome of what never waits.
pub(crate) fn at_once<T>(work: impl Future<Output = T>) -> T {
    work.now_or_never().expect("SQLite answers at once")
}

/// A connection on which something is read.
pub(crate) struct Reading<'a>(pub(crate) &'a mut Connection);

impl Read for Reading<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn rows<'a>(
        &'a mut self,
        statement: &'static Statement,
        values: &'a [Value<'a>],
        read: RowReader<'a>,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        ready(rows(self.0, statement, values, read)).boxed()
    }
}

/// What a piece of work may do inside its transaction.
pub(crate) struct Write<'a> {
    connection: &'a mut Connection,
    pub(crate) changed: Vec<KeyHash>,
    pub(crate) everything_changed: bool,
}

impl<'a> Write<'a> {
    /// Inside the transaction of this connection.
    pub(crate) fn new(connection: &'a mut Connection) -> Self {
        Self {
            connection,
            changed: Vec::new(),
            everything_changed: false,
        }
    }

    /// Notes that what is known of any key may be out of date once this is committed.
    pub(crate) fn everything_changed(&mut self) {
        self.everything_changed = true;
    }
}

impl Deref for Write<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl Read for Write<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn rows<'a>(
        &'a mut self,
        statement: &'static Statement,
        values: &'a [Value<'a>],
        read: RowReader<'a>,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        ready(rows(self, statement, values, read)).boxed()
    }
}

impl Tx for Write<'_> {
    fn execute<'a>(
        &'a mut self,
        statement: &'static Statement,
        values: &'a [Value<'a>],
    ) -> BoxFuture<'a, Result<u64, StorageError>> {
        ready(execute(self, statement, values)).boxed()
    }

    fn key_changed(&mut self, hash: KeyHash) {
        self.changed.push(hash);
    }

    fn key_issued(&mut self, hash: KeyHash) {
        self.key_changed(hash);
    }
}

fn execute(
    db: &Connection,
    statement: &Statement,
    values: &[Value<'_>],
) -> Result<u64, StorageError> {
    let values = params_from_iter(values.iter().map(Bound));
    let changed = query::execute(db, statement.sqlite, values)?;
    Ok(changed as u64)
}

fn rows(
    db: &Connection,
    statement: &Statement,
    values: &[Value<'_>],
    read: RowReader<'_>,
) -> Result<(), StorageError> {
    let values = params_from_iter(values.iter().map(Bound));
    query::all(db, statement.sqlite, values, |row| read(row)).map(|_| ())
}

struct Bound<'a>(&'a Value<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let bytes = |bytes| ToSqlOutput::Borrowed(ValueRef::Blob(bytes));
        let bound = match self.0 {
            Value::Number(number) => return number.to_sql(),
            Value::Text(text) => return text.to_sql(),
            Value::Flag(flag) => return flag.to_sql(),
            Value::Id(id) => id.as_ref().map(|id| bytes(id)),
            Value::Bytes(given) => given.map(bytes),
            Value::Numbers(_) | Value::Ids(_) => {
                let why = "SQLite has no arrays".into();
                return Err(rusqlite::Error::ToSqlConversionFailure(why));
            }
        };
        Ok(bound.unwrap_or(ToSqlOutput::Borrowed(ValueRef::Null)))
    }
}
