use futures_util::FutureExt;
use keygate_core::Timestamp;
use keygate_storage::{KeyBindings, StorageError};
use keygate_storage_sql::{Columns, bindings};
use sqlx::{PgConnection, query};

use crate::{
    LossRisk, PostgresOptions,
    capacity::{Capacity, capacity},
    database::Database,
    error::storage_error,
    migrations,
    pooling::refuse_shared_sessions,
    query::optional,
    requirements::require_for_node,
    statements::statements,
    tx::Reading,
    watch,
};

/// The schema version since which it is noted what keys begin with.
const NOTES_PREFIX: i32 = 6;

/// What an operator wants to know of a database before a node opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The server's version, like `15.14`.
    pub server: String,
    /// Why the server can lose what it has acknowledged, if it can.
    pub risks: Vec<LossRisk>,
    /// How many connections there are.
    pub capacity: Capacity,
    /// The time by the server's clock.
    pub now: Timestamp,
    /// Its schema version; 0 where nothing of keygate's is in it yet.
    pub version: i64,
    /// The latest schema version that this program knows.
    pub known: i64,
    /// When the newest change was made that is on record.
    pub newest_entry: Option<Timestamp>,
    /// What its keys bind a node to.
    pub bindings: KeyBindings,
}

statements! {
    SERVER = "SELECT current_setting('server_version') AS server";
    IDENTITY = "SELECT 'postgres ' || system_identifier || '/' || oid AS identity \
        FROM pg_control_system(), pg_database WHERE datname = current_database()";
    NEWEST = "SELECT max(at) AS at FROM audit_entries";
}

impl Inspection {
    /// Looks at the database and leaves everything as it is.
    ///
    /// Fails by what a node would refuse to open.
    pub async fn of(options: &PostgresOptions) -> Result<Self, StorageError> {
        refuse_shared_sessions(options).await?;
        let connect = options.connect().map_err(storage_error)?;
        let database = Database::new(connect, options, 1, options.statement_timeout);
        let name = options.name();
        let found = database
            .read(move |db| {
                let name = name.clone();
                async move { inspect(db, &name).await }.boxed()
            })
            .await;
        database.close().await;
        found
    }
}

/// By what a database is the same whatever it is called: its cluster and its number there.
pub async fn identity(options: &PostgresOptions) -> Result<String, StorageError> {
    let connect = options.connect().map_err(storage_error)?;
    let database = Database::new(connect, options, 1, options.statement_timeout);
    let found =
        database.read(|db| optional(db, query(IDENTITY), |row| row.some_text("identity")).boxed());
    let found = found.await;
    database.close().await;
    found?.ok_or(StorageError::Corrupt("identity"))
}

async fn inspect(db: &mut PgConnection, name: &str) -> Result<Inspection, StorageError> {
    let version = require_for_node(db, name).await?;
    let look = watch::look(db).await?;
    let server = optional(db, query(SERVER), |row| row.some_text("server"));
    let server = server.await?.unwrap_or_default();
    let capacity = capacity(db).await?;
    let (newest, bindings) = if version > 0 {
        let newest = optional(db, query(NEWEST), |row| row.number("at"));
        (
            newest.await?.flatten(),
            bindings(&mut Reading(db), version >= NOTES_PREFIX).await?,
        )
    } else {
        (None, KeyBindings::default())
    };
    Ok(Inspection {
        // Some add where they come from: "15.14 (Debian 15.14-0+deb12u1)".
        server: server.split(' ').next().unwrap_or_default().to_owned(),
        risks: look.risks(),
        capacity,
        now: look.now,
        version: version.into(),
        known: migrations::known_version().into(),
        newest_entry: newest.map(Timestamp::from_millis),
        bindings,
    })
}
