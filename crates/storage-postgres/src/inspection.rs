use futures_util::FutureExt;
use keygate_core::Timestamp;
use keygate_storage::{Columns, StorageError, statements};
use sqlx::{PgConnection, query};

use crate::{
    LossRisk, PostgresOptions,
    capacity::{Capacity, capacity},
    database::Database,
    error::unavailable,
    migrations,
    query::optional,
    row::column,
    watch,
};

/// What an operator wants to know of a database before a node opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The server's version, like `15.14`.
    pub server: String,
    /// Whether every name can be kept: the encoding is UTF8.
    pub is_unicode: bool,
    /// Why the server can lose what it has acknowledged, if it can.
    pub risks: Vec<LossRisk>,
    /// Whether tables may be made, which a node does that brings the schema to its own version.
    pub can_create: bool,
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
}

statements! {
    SERVER = "SELECT current_setting('server_version') AS server, \
        coalesce(has_schema_privilege(current_schema(), 'CREATE'), FALSE) AS can_create";
    IDENTITY = "SELECT 'postgres ' || system_identifier || '/' || oid AS identity \
        FROM pg_control_system(), pg_database WHERE datname = current_database()";
    NEWEST = "SELECT max(at) AS at FROM audit_entries";
}

impl Inspection {
    /// Looks at the database and leaves everything as it is.
    ///
    /// Fails where it does not answer, is that of another program, or was written by a later version
    /// on which this one does not run.
    pub async fn of(options: &PostgresOptions) -> Result<Self, StorageError> {
        let connect = options.connect().map_err(unavailable)?;
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
    let connect = options.connect().map_err(unavailable)?;
    let database = Database::new(connect, options, 1, options.statement_timeout);
    let found =
        database.read(|db| optional(db, query(IDENTITY), |row| row.some_text("identity")).boxed());
    let found = found.await;
    database.close().await;
    found?.ok_or(StorageError::Corrupt("identity"))
}

async fn inspect(db: &mut PgConnection, name: &str) -> Result<Inspection, StorageError> {
    let is_unicode = migrations::is_unicode(db).await?;
    let look = watch::look(db).await?;
    let (server, can_create) = optional(db, query(SERVER), |row| {
        Ok((
            column::<String>(row.0, "server")?,
            column(row.0, "can_create")?,
        ))
    })
    .await?
    .unwrap_or_default();
    let capacity = capacity(db).await?;
    let version = migrations::version(db, name).await?;
    let newest = if version > 0 {
        optional(db, query(NEWEST), |row| row.number("at")).await?
    } else {
        None
    };
    Ok(Inspection {
        // Some add where they come from: "15.14 (Debian 15.14-0+deb12u1)".
        server: server.split(' ').next().unwrap_or_default().to_owned(),
        is_unicode,
        risks: look.risks(),
        can_create,
        capacity,
        now: look.now,
        version,
        known: migrations::known_version().into(),
        newest_entry: newest.flatten().map(Timestamp::from_millis),
    })
}
