//! What has to be so before a node uses a database. Nothing is changed by looking.

use keygate_storage::StorageError;
use keygate_storage_sql::{Columns, refuse_unfinished_copy};
use sqlx::{PgConnection, query};

use crate::{
    migrations,
    query::{exists, optional},
    statements::statements,
    tx::Reading,
    usage_lock,
};

statements! {
    IS_UNICODE = "SELECT 1 WHERE current_setting('server_encoding') = 'UTF8'";
    /// Of the tables that are there: whether this user may use all of them, and change how they are made.
    RIGHTS = "SELECT coalesce(bool_and(has_table_privilege(oid, 'SELECT') \
            AND has_table_privilege(oid, 'INSERT') AND has_table_privilege(oid, 'UPDATE') \
            AND has_table_privilege(oid, 'DELETE')), TRUE) AS may_use, \
        coalesce(bool_and(pg_has_role(relowner, 'USAGE')), TRUE) AS may_alter, \
        coalesce(has_schema_privilege(current_schema(), 'CREATE'), FALSE) AS may_create, \
        count(*) AS tables \
        FROM unnest($1::text[]) AS name JOIN pg_class ON oid = to_regclass(name)";
}

/// What the schema consists of.
pub(crate) const TABLES: [&str; 21] = [
    "accounts",
    "api_keys",
    "audit_entries",
    "changes",
    "feed",
    "hasher",
    "incident_updates",
    "incidents",
    "invitations",
    "key_forms",
    "key_uses",
    "keygate_schema",
    "known_clients",
    "password_resets",
    "probe_claims",
    "probe_rollups",
    "probes",
    "sessions",
    "unfinished_copy",
    "usage_flushes",
    "write_probe",
];

const NOT_UNICODE: &str = "its encoding must be UTF8 (make another: CREATE DATABASE name TEMPLATE template0 ENCODING 'UTF8')";
const MAY_NOT_MAKE: &str = "it has to get tables, which this user may not make: make the user its owner (ALTER DATABASE name OWNER TO user)";
const MAY_NOT_ALTER: &str = "its tables have to be changed for this version, and they are another user's: start this version once as their owner, or give them to this user (REASSIGN OWNED BY owner TO user)";
const MAY_NOT_USE: &str = "this user may not read and write all of its tables (GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO user)";
const LACKS_TABLES: &str = "it says that its schema is up to date, and lacks some of the tables: it was changed by hand. Take that back, or restore a backup (pg_restore)";

struct Rights {
    /// How many of the tables are there.
    tables: u64,
    may_use: bool,
    may_alter: bool,
    may_create: bool,
}

/// Refuses a database that a node cannot use. `name` is its name, for errors. The schema version; 0 where
/// nothing of keygate's is there yet.
pub(crate) async fn require_for_node(
    db: &mut PgConnection,
    name: &str,
) -> Result<i32, StorageError> {
    usage_lock::look(db).await?;
    let version = require(db, name).await?;
    if version == migrations::known_version() {
        refuse_unfinished_copy(&mut Reading(db)).await?;
    }
    Ok(version)
}

/// The same for a copy, which has the database alone.
pub(crate) async fn require(db: &mut PgConnection, name: &str) -> Result<i32, StorageError> {
    if !exists(db, query(IS_UNICODE)).await? {
        return Err(StorageError::unsuitable(NOT_UNICODE));
    }
    let rights = optional(db, query(RIGHTS).bind(TABLES.as_slice()), |row| {
        Ok(Rights {
            tables: row.count("tables")?,
            may_use: row.flag("may_use")?,
            may_alter: row.flag("may_alter")?,
            may_create: row.flag("may_create")?,
        })
    });
    let rights = rights.await?.ok_or(StorageError::Corrupt("server"))?;
    let is_ours = migrations::is_ours(db).await?;
    // The version could not even be read.
    if is_ours && !rights.may_use {
        return Err(StorageError::unsuitable(MAY_NOT_USE));
    }
    let version = migrations::version(db, name).await?;
    if version < migrations::known_version() {
        refuse_to_change(is_ours, &rights)?;
    } else if version == migrations::known_version() && rights.tables < TABLES.len() as u64 {
        return Err(StorageError::unsuitable(LACKS_TABLES));
    }
    Ok(version)
}

/// Refuses where the schema could not be brought up to date.
fn refuse_to_change(is_ours: bool, rights: &Rights) -> Result<(), StorageError> {
    let why = match rights {
        rights if is_ours && !rights.may_alter => MAY_NOT_ALTER,
        rights if !rights.may_create => MAY_NOT_MAKE,
        _ => return Ok(()),
    };
    Err(StorageError::unsuitable(why))
}
