//! Reading and writing whole tables, for `keygate_storage::copy`.

use keygate_storage::{
    StorageError,
    tables::{Column, Kind, RowKey, Table, TableRow, Value},
};
use keygate_storage_sql::Columns;
use sqlx::{AssertSqlSafe, PgConnection, query, types::Uuid};

use crate::{
    query::{Statement, all, execute, optional},
    row::{PostgresRow, column},
};

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Id => "uuid",
        Kind::Bytes => "bytea",
        Kind::Text => "text",
        Kind::Number => "bigint",
        Kind::Flag => "boolean",
    }
}

fn read(row: &PostgresRow<'_>, table: &Table) -> Result<TableRow, StorageError> {
    table
        .columns
        .iter()
        .map(|column| read_value(row, column))
        .collect()
}

fn read_value(
    row: &PostgresRow<'_>,
    Column { name, kind }: &Column,
) -> Result<Value, StorageError> {
    fn number(number: impl Into<i64>) -> Value {
        Value::Number(number.into())
    }
    let value = match kind {
        Kind::Id => {
            let id: Option<Uuid> = column(row.0, name)?;
            id.map(|id| Value::Bytes(id.as_bytes().to_vec()))
        }
        Kind::Bytes => column::<Option<Vec<u8>>>(row.0, name)?.map(Value::Bytes),
        Kind::Text => column::<Option<String>>(row.0, name)?.map(Value::Text),
        Kind::Number => column::<Option<i64>>(row.0, name)?.map(number),
        Kind::Flag => column::<Option<bool>>(row.0, name)?.map(number),
    };
    Ok(value.unwrap_or(Value::Null))
}

fn corrupt<E>(_: E) -> StorageError {
    StorageError::Corrupt("value")
}

fn as_id(value: Value) -> Result<Option<Uuid>, StorageError> {
    let bytes = as_bytes(value)?;
    bytes
        .map(|bytes| Uuid::from_slice(&bytes).map_err(corrupt))
        .transpose()
}

fn as_bytes(value: Value) -> Result<Option<Vec<u8>>, StorageError> {
    match value {
        Value::Null => Ok(None),
        Value::Bytes(bytes) => Ok(Some(bytes)),
        other => Err(corrupt(other)),
    }
}

fn as_text(value: Value) -> Result<Option<String>, StorageError> {
    match value {
        Value::Null => Ok(None),
        Value::Text(text) => Ok(Some(text)),
        other => Err(corrupt(other)),
    }
}

fn as_number<N: TryFrom<i64>>(value: Value) -> Result<Option<N>, StorageError> {
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => N::try_from(number).map(Some).map_err(corrupt),
        other => Err(corrupt(other)),
    }
}

fn as_flag(value: Value) -> Result<Option<bool>, StorageError> {
    let number: Option<u8> = as_number(value)?;
    Ok(number.map(|number| number != 0))
}

/// Binds the values of a column, all at once.
fn bind(
    statement: Statement<'_>,
    kind: Kind,
    values: Vec<Value>,
) -> Result<Statement<'_>, StorageError> {
    fn each<T>(
        values: Vec<Value>,
        read: fn(Value) -> Result<Option<T>, StorageError>,
    ) -> Result<Vec<Option<T>>, StorageError> {
        values.into_iter().map(read).collect()
    }
    Ok(match kind {
        Kind::Id => statement.bind(each(values, as_id)?),
        Kind::Bytes => statement.bind(each(values, as_bytes)?),
        Kind::Text => statement.bind(each(values, as_text)?),
        Kind::Number => statement.bind(each(values, as_number::<i64>)?),
        Kind::Flag => statement.bind(each(values, as_flag)?),
    })
}

pub(crate) async fn write_rows(
    db: &mut PgConnection,
    table: &'static Table,
    rows: Vec<TableRow>,
) -> Result<(), StorageError> {
    let sql = format!(
        "INSERT INTO {} ({}) SELECT * FROM unnest({}) {}",
        table.name,
        table.column_list(),
        arrays(table.columns),
        table.on_conflict()
    );
    let statement = bind_columns(query(AssertSqlSafe(sql)), table.columns, rows)?;
    execute(db, statement).await?;
    if table.name == "audit_entries" {
        optional(db, query(PAST_IDS), |_| Ok(())).await?;
    }
    Ok(())
}

/// The places of columns, each given as an array of its values.
fn arrays(columns: &[Column]) -> String {
    let places = (1..).zip(columns);
    let places = places.map(|(place, column)| format!("${place}::{}[]", type_name(column.kind)));
    places.collect::<Vec<_>>().join(", ")
}

/// Binds rows, column by column.
fn bind_columns<'a>(
    mut statement: Statement<'a>,
    columns: &[Column],
    rows: Vec<TableRow>,
) -> Result<Statement<'a>, StorageError> {
    let mut values: Vec<Vec<Value>> = columns.iter().map(|_| Vec::new()).collect();
    for row in rows {
        for (column, value) in values.iter_mut().zip(row) {
            column.push(value);
        }
    }
    for (column, values) in columns.iter().zip(values) {
        statement = bind(statement, column.kind, values)?;
    }
    Ok(statement)
}

/// Ids that were given out elsewhere are not given out again.
const PAST_IDS: &str = "SELECT setval(pg_get_serial_sequence('audit_entries', 'id'), \
    (SELECT max(id) FROM audit_entries))";

pub(crate) async fn delete_rows(
    db: &mut PgConnection,
    table: &'static Table,
    keys: Vec<RowKey>,
) -> Result<(), StorageError> {
    let (name, key) = (table.name, table.key_list());
    let arrays = arrays(table.key_columns());
    let sql = format!("DELETE FROM {name} WHERE ({key}) IN (SELECT * FROM unnest({arrays}))");
    let statement = bind_columns(query(AssertSqlSafe(sql)), table.key_columns(), keys)?;
    execute(db, statement).await.map(|_| ())
}

/// The rows of a table after a key.
pub(crate) async fn read_rows(
    db: &mut PgConnection,
    table: &'static Table,
    after: Option<RowKey>,
    limit: u32,
) -> Result<Vec<TableRow>, StorageError> {
    let (columns, name, key) = (table.column_list(), table.name, table.key_list());
    let condition = after.as_ref().map_or(String::new(), |_| {
        let arrays = arrays(table.key_columns());
        format!("WHERE ({key}) > (SELECT * FROM unnest({arrays}))")
    });
    let sql = format!("SELECT {columns} FROM {name} {condition} ORDER BY {key} LIMIT {limit}");
    let mut statement = query(AssertSqlSafe(sql));
    if let Some(after) = after {
        statement = bind_columns(statement, table.key_columns(), vec![after])?;
    }
    all(db, statement, |row| read(row, table)).await
}

/// How many rows a table has.
pub(crate) async fn count_rows(
    db: &mut PgConnection,
    table: &'static Table,
) -> Result<u64, StorageError> {
    let sql = format!("SELECT count(*) AS rows FROM {}", table.name);
    let count = optional(db, query(AssertSqlSafe(sql)), |row| row.count("rows"));
    Ok(count.await?.unwrap_or(0))
}
