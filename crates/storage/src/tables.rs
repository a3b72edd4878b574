//! The tables as such, for moving from one backend to another.

use async_trait::async_trait;

use crate::StorageError;

/// A table that both backends have under the same name, with the same columns.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Of how many columns, counted from the first, the primary key is made.
    pub key: usize,
    /// Its columns.
    pub columns: &'static [Column],
}

/// A column.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds; any that is not of the primary key may hold nothing.
    pub kind: Kind,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 16 bytes.
    Id,
    /// Bytes.
    Bytes,
    /// Text.
    Text,
    /// A whole number of 64 bits.
    Number,
    /// True or false.
    Flag,
}

/// What stands in a column of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Nothing.
    Null,
    /// A number, or a flag: 0 or 1.
    Number(i64),
    /// Text.
    Text(String),
    /// Bytes, or an id.
    Bytes(Vec<u8>),
}

/// The values of a row, in the order of the table's columns.
pub type TableRow = Vec<Value>;

/// The values of the primary key of a row.
pub type RowKey = Vec<Value>;

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

/// Everything that is moved, each table after those that it refers to. What nodes note about their
/// own work stays behind (flushes of uses, the change feed, claims of probers), and so do probes.
pub const TABLES: &[Table] = &[
    Table {
        name: "hasher",
        key: 1,
        columns: &[
            column("only", Kind::Number),
            column("fingerprint", Kind::Text),
            column("key_prefix", Kind::Text),
            column("max_active", Kind::Number),
            column("max_total", Kind::Number),
            column("installation", Kind::Text),
        ],
    },
    Table {
        name: "accounts",
        key: 1,
        columns: &[
            column("id", Kind::Id),
            column("email", Kind::Text),
            column("password_hash", Kind::Text),
            column("role", Kind::Text),
            column("suspended_at", Kind::Number),
            column("created_at", Kind::Number),
        ],
    },
    Table {
        name: "invitations",
        key: 1,
        columns: &[
            column("token_hash", Kind::Bytes),
            column("kind", Kind::Text),
            column("id", Kind::Id),
            column("email", Kind::Text),
            column("created_by", Kind::Id),
            column("session_id", Kind::Id),
            column("created_at", Kind::Number),
            column("expires_at", Kind::Number),
        ],
    },
    Table {
        name: "sessions",
        key: 1,
        columns: &[
            column("id", Kind::Id),
            column("account_id", Kind::Id),
            column("token_hash", Kind::Bytes),
            column("created_at", Kind::Number),
            column("last_seen_at", Kind::Number),
            column("idle_ends_at", Kind::Number),
            column("ends_at", Kind::Number),
            column("address", Kind::Text),
            column("user_agent", Kind::Text),
        ],
    },
    Table {
        name: "known_clients",
        key: 2,
        columns: &[
            column("account_id", Kind::Id),
            column("mark", Kind::Bytes),
            column("signed_in_at", Kind::Number),
        ],
    },
    Table {
        name: "password_resets",
        key: 1,
        columns: &[
            column("account_id", Kind::Id),
            column("token_hash", Kind::Bytes),
            column("id", Kind::Id),
            column("created_by", Kind::Id),
            column("session_id", Kind::Id),
            column("created_at", Kind::Number),
            column("expires_at", Kind::Number),
        ],
    },
    Table {
        name: "api_keys",
        key: 1,
        columns: &[
            column("id", Kind::Id),
            column("account_id", Kind::Id),
            column("hash", Kind::Bytes),
            column("name", Kind::Text),
            column("key_prefix", Kind::Text),
            column("scopes", Kind::Number),
            column("expires_at", Kind::Number),
            column("is_active", Kind::Flag),
            column("created_at", Kind::Number),
            column("last_used_at", Kind::Number),
            column("request_count", Kind::Number),
        ],
    },
    Table {
        name: "key_uses",
        key: 1,
        columns: &[
            column("key_id", Kind::Id),
            column("last_used_at", Kind::Number),
            column("request_count", Kind::Number),
        ],
    },
    Table {
        name: "key_forms",
        key: 2,
        columns: &[
            column("account_id", Kind::Id),
            column("form_id", Kind::Id),
            column("key_id", Kind::Id),
            column("sent_at", Kind::Number),
        ],
    },
    Table {
        name: "audit_entries",
        key: 1,
        columns: &[
            column("id", Kind::Number),
            column("at", Kind::Number),
            column("actor", Kind::Text),
            column("actor_id", Kind::Id),
            column("action", Kind::Text),
            column("account_id", Kind::Id),
            column("subject_id", Kind::Text),
            column("detail", Kind::Text),
        ],
    },
    Table {
        name: "incidents",
        key: 1,
        columns: &[
            column("id", Kind::Id),
            column("kind", Kind::Text),
            column("title", Kind::Text),
            column("components", Kind::Text),
            column("starts_at", Kind::Number),
            column("ends_at", Kind::Number),
        ],
    },
    Table {
        name: "incident_updates",
        key: 1,
        columns: &[
            column("id", Kind::Id),
            column("incident_id", Kind::Id),
            column("at", Kind::Number),
            column("state", Kind::Text),
            column("message", Kind::Text),
        ],
    },
];

impl Table {
    /// The names of the columns, each in quotes, with commas between.
    pub fn column_list(&self) -> String {
        quoted(self.columns)
    }

    /// The same of the columns of the primary key.
    pub fn key_list(&self) -> String {
        quoted(self.key_columns())
    }

    /// The columns of the primary key.
    pub fn key_columns(&self) -> &'static [Column] {
        &self.columns[..self.key]
    }

    /// What tells a row from all others.
    pub fn key_of(&self, row: &TableRow) -> RowKey {
        row[..self.key].to_vec()
    }

    /// What an `INSERT` ends with so that a row takes the place of one with the same key.
    pub fn on_conflict(&self) -> String {
        let others = self.columns[self.key..].iter();
        let replaced =
            others.map(|Column { name, .. }| format!("\"{name}\" = excluded.\"{name}\""));
        let replaced = replaced.collect::<Vec<_>>().join(", ");
        format!("ON CONFLICT ({}) DO UPDATE SET {replaced}", self.key_list())
    }
}

fn quoted(columns: &[Column]) -> String {
    let names = columns.iter().map(|column| format!("\"{}\"", column.name));
    names.collect::<Vec<_>>().join(", ")
}

/// A source of rows, all of one state of the database.
#[async_trait]
pub trait TableReader: Send + Sync {
    /// The rows whose key is greater than `after`, in the order of their keys.
    async fn read_rows(
        &self,
        table: &'static Table,
        after: Option<RowKey>,
        limit: u32,
    ) -> Result<Vec<TableRow>, StorageError>;

    /// How many rows there are.
    async fn count_rows(&self, table: &'static Table) -> Result<u64, StorageError>;
}

/// A backend as tables that can be written. Nothing that is done here leaves an audit entry: those of
/// the source are copied with the rest. Every transaction tells all listeners, on all nodes, that any
/// key may have changed.
#[async_trait]
pub trait TableStore: TableReader {
    /// Writes rows, each in the place of the one with the same key.
    async fn write_rows(
        &self,
        table: &'static Table,
        rows: Vec<TableRow>,
    ) -> Result<(), StorageError>;

    /// Deletes the rows with these keys.
    async fn delete_rows(
        &self,
        table: &'static Table,
        keys: Vec<RowKey>,
    ) -> Result<(), StorageError>;

    /// Marks it as one that is not yet the same as another, so that nobody opens it to serve from; or takes
    /// the mark away.
    async fn mark_unfinished(&self, is_unfinished: bool) -> Result<(), StorageError>;
}
