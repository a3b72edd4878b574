//! What is asked of PostgreSQL.

use futures_util::{FutureExt, future::BoxFuture};
use keygate_core::key::KeyHash;
use keygate_storage::StorageError;
use keygate_storage_sql::{Dialect, Read, RowReader, Statement, Tx, Value};
use sqlx::{PgConnection, query, types::Uuid};

use crate::{
    query::{self as run, Statement as Query},
    write::Write,
};

/// A connection on which something is read.
pub(crate) struct Reading<'a>(pub(crate) &'a mut PgConnection);

impl Read for Reading<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn rows<'a>(
        &'a mut self,
        statement: &'static Statement,
        values: &'a [Value<'a>],
        read: RowReader<'a>,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        rows(self.0, statement, values, read).boxed()
    }
}

impl Read for Write {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn rows<'a>(
        &'a mut self,
        statement: &'static Statement,
        values: &'a [Value<'a>],
        read: RowReader<'a>,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        rows(self, statement, values, read).boxed()
    }
}

impl Tx for Write {
    fn execute<'a>(
        &'a mut self,
        statement: &'static Statement,
        values: &'a [Value<'a>],
    ) -> BoxFuture<'a, Result<u64, StorageError>> {
        run::execute(self, bound(statement, values)).boxed()
    }

    fn key_changed(&mut self, hash: KeyHash) {
        self.changed.push(hash);
    }

    fn key_issued(&mut self, hash: KeyHash) {
        self.issued.push(hash);
    }
}

async fn rows(
    db: &mut PgConnection,
    statement: &'static Statement,
    values: &[Value<'_>],
    read: RowReader<'_>,
) -> Result<(), StorageError> {
    let rows = run::all(db, bound(statement, values), |row| read(row));
    rows.await.map(|_| ())
}

fn bound<'a>(statement: &'static Statement, values: &'a [Value<'a>]) -> Query<'a> {
    let uuid = Uuid::from_bytes;
    let mut statement = query(statement.postgres);
    for value in values {
        statement = match *value {
            Value::Number(number) => statement.bind(number),
            Value::Text(text) => statement.bind(text),
            Value::Id(id) => statement.bind(id.map(uuid)),
            Value::Bytes(bytes) => statement.bind(bytes),
            Value::Flag(flag) => statement.bind(flag),
            Value::Numbers(numbers) => statement.bind(numbers),
            Value::Ids(ids) => statement.bind(ids.iter().copied().map(uuid).collect::<Vec<_>>()),
        };
    }
    statement
}
