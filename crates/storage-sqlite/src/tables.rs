use async_trait::async_trait;
use keygate_storage::{
    StorageError,
    tables::{Kind, RowKey, Table, TableReader, TableRow, TableStore, Value},
};
use keygate_storage_sql::{Columns, Ending, mark_unfinished_copy};
use rusqlite::{
    Connection, ToSql, params_from_iter,
    types::{ToSqlOutput, ValueRef},
};

use crate::{SqliteEngine, query, row::Row, tx::at_once};

/// A value on its way into the database.
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Number(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn read(row: &Row<'_>, table: &Table) -> Result<TableRow, StorageError> {
    let values = table.columns.iter().enumerate().map(|(place, column)| {
        let value = row.0.get_ref(place).map_err(crate::error::storage_error)?;
        Ok(match (value, column.kind) {
            (ValueRef::Null, _) => Value::Null,
            (ValueRef::Integer(number), _) => Value::Number(number),
            (ValueRef::Text(text), Kind::Text) => {
                let text = std::str::from_utf8(text).map_err(|_| StorageError::Corrupt("text"))?;
                Value::Text(text.to_owned())
            }
            (ValueRef::Blob(bytes), _) => Value::Bytes(bytes.to_vec()),
            _ => return Err(StorageError::Corrupt("value")),
        })
    });
    values.collect()
}

/// The rows of a table after a key.
pub(crate) fn read_rows(
    db: &Connection,
    table: &'static Table,
    after: Option<&RowKey>,
    limit: u32,
) -> Result<Vec<TableRow>, StorageError> {
    let (columns, name, key) = (table.column_list(), table.name, table.key_list());
    let condition = after.map_or(String::new(), |_| {
        format!("WHERE ({key}) > ({})", marks(table.key))
    });
    let sql = format!("SELECT {columns} FROM {name} {condition} ORDER BY {key} LIMIT {limit}");
    let params = params_from_iter(after.into_iter().flatten().map(Bound));
    query::all(db, &sql, params, |row| read(row, table))
}

/// So many places for values.
fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// How many rows a table has.
pub(crate) fn count_rows(db: &Connection, table: &'static Table) -> Result<u64, StorageError> {
    let sql = format!("SELECT count(*) AS rows FROM {}", table.name);
    let count = query::optional(db, &sql, [], |row| row.count("rows"))?;
    Ok(count.unwrap_or(0))
}

#[async_trait]
impl TableReader for SqliteEngine {
    async fn read_rows(
        &self,
        table: &'static Table,
        after: Option<RowKey>,
        limit: u32,
    ) -> Result<Vec<TableRow>, StorageError> {
        self.on_reader(move |db| read_rows(db, table, after.as_ref(), limit))
            .await
    }

    async fn count_rows(&self, table: &'static Table) -> Result<u64, StorageError> {
        self.on_reader(move |db| count_rows(db, table)).await
    }
}

#[async_trait]
impl TableStore for SqliteEngine {
    async fn write_rows(
        &self,
        table: &'static Table,
        rows: Vec<TableRow>,
    ) -> Result<(), StorageError> {
        let sql = format!(
            "INSERT INTO {} ({}) VALUES ({}) {}",
            table.name,
            table.column_list(),
            marks(table.columns.len()),
            table.on_conflict()
        );
        self.on_writer(move |db| {
            for row in &rows {
                query::execute(db, &sql, params_from_iter(row.iter().map(Bound)))?;
            }
            db.everything_changed();
            Ok(Ending::Commit(()))
        })
        .await
    }

    async fn delete_rows(
        &self,
        table: &'static Table,
        keys: Vec<RowKey>,
    ) -> Result<(), StorageError> {
        let (name, key) = (table.name, table.key_list());
        let sql = format!("DELETE FROM {name} WHERE ({key}) = ({})", marks(table.key));
        self.on_writer(move |db| {
            for key in &keys {
                query::execute(db, &sql, params_from_iter(key.iter().map(Bound)))?;
            }
            db.everything_changed();
            Ok(Ending::Commit(()))
        })
        .await
    }

    async fn mark_unfinished(&self, is_unfinished: bool) -> Result<(), StorageError> {
        self.on_writer(move |db| {
            at_once(mark_unfinished_copy(db, is_unfinished)).map(Ending::Commit)
        })
        .await
    }
}
