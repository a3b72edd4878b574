//! How many connections the server has for this program.

use futures_util::FutureExt;
use keygate_storage::{Concern, Concerns, StorageError};
use keygate_storage_sql::Columns;
use sqlx::{PgConnection, query};

use crate::{database::Database, query::optional, statements::statements};

statements! {
    /// The tightest of what the server, the role and the database allow; -1 is no limit.
    CAPACITY = "WITH sessions AS (SELECT count(*) AS of_server, \
            count(*) FILTER (WHERE usename = session_user) AS of_role, \
            count(*) FILTER (WHERE datname = current_database()) AS of_database \
            FROM pg_stat_activity WHERE usesysid IS NOT NULL AND pid <> pg_backend_pid() \
        ), limits AS (SELECT current_setting('max_connections')::bigint \
                - current_setting('superuser_reserved_connections')::bigint \
                - coalesce(current_setting('reserved_connections', true)::bigint, 0) AS of_server, \
            (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = session_user) AS of_role, \
            (SELECT nullif(datconnlimit, -1) FROM pg_database \
                WHERE datname = current_database()) AS of_database \
        ) \
        SELECT least(limits.of_server, limits.of_role, limits.of_database)::bigint AS most, \
            greatest(0, least(limits.of_server - sessions.of_server, \
                limits.of_role - sessions.of_role, \
                limits.of_database - sessions.of_database))::bigint AS free \
        FROM sessions, limits";
}

/// The concern where a node cannot have what it may come to need.
const TOO_FEW: &str = "too_few_connections";

/// What a server has for a role and a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capacity {
    /// How many connections all together may have.
    pub most: u64,
    /// How many nobody had when it was looked.
    pub free: u64,
}

pub(crate) async fn capacity(db: &mut PgConnection) -> Result<Capacity, StorageError> {
    let found = optional(db, query(CAPACITY), |row| {
        Ok(Capacity {
            most: row.count("most")?,
            free: row.count("free")?,
        })
    });
    Ok(found.await?.unwrap_or_default())
}

/// Says where a node that makes up to `needed` connections cannot have them.
pub(crate) async fn look(
    database: &Database,
    needed: u32,
    concerns: &Concerns,
) -> Result<(), StorageError> {
    let Capacity { most, free } = database.read(|db| capacity(db).boxed()).await?;
    let needed = u64::from(needed);
    if needed > most {
        concerns.raise(Concern::warning(
            TOO_FEW,
            format!(
                "this node makes up to {needed} connections, and the database server gives its user \
                 no more than {most}: raise the server's max_connections or the user's CONNECTION \
                 LIMIT, or lower storage.pool_size"
            ),
        ));
    } else if needed > free {
        tracing::warn!(
            "this node makes up to {needed} connections, and of the {most} that the database server \
             gives, {free} are free: raise the server's max_connections, or lower storage.pool_size"
        );
    }
    Ok(())
}
