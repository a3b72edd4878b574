//! Which nodes use a database: each holds a shared lock for as long as it listens to the feed, and a copy
//! into the database has to have it alone.
//!
//! Nodes of versions that do not know the lock are not found by it. They, too, drop what they know by what
//! the copy publishes.

use std::time::Duration;

use crate::statements::statements;
use keygate_storage::StorageError;
use keygate_storage_sql::Columns;
use sqlx::{PgConnection, query};
use tokio::time;

use crate::query::optional;

statements! {
    /// "kgus"
    SHARE = "SELECT pg_try_advisory_lock_shared(1801942387) AS taken";
    LOOK = "SELECT pg_try_advisory_xact_lock_shared(1801942387) AS taken";
    TAKE = "SELECT pg_try_advisory_lock(1801942387) AS taken";
    NODES = "SELECT count(*) AS nodes FROM pg_locks \
        WHERE locktype = 'advisory' AND classid = 0 AND objid = 1801942387 AND objsubid = 1 \
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
        AND mode = 'ShareLock' AND granted";
}

/// The server ends a session a moment after its process has gone.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// Whether the lock was taken.
pub(crate) enum Taken {
    Yes,
    /// So many nodes have it; none, where a copy has.
    SharedByNodes(u64),
}

/// Takes it for a copy, until the connection is closed.
pub(crate) async fn take(db: &mut PgConnection) -> Result<Taken, StorageError> {
    for _ in 0..TRIES {
        if is_taken(db, TAKE).await? {
            return Ok(Taken::Yes);
        }
        time::sleep(PAUSE).await;
    }
    let nodes = optional(db, query(NODES), |row| row.count("nodes"));
    Ok(Taken::SharedByNodes(nodes.await?.unwrap_or(0)))
}

/// Takes it for a node, until the connection is closed. Fails while a copy has it.
pub(crate) async fn share(db: &mut PgConnection) -> Result<(), StorageError> {
    refuse_copy(is_taken(db, SHARE).await?)
}

/// Fails while a copy has it.
pub(crate) async fn look(db: &mut PgConnection) -> Result<(), StorageError> {
    refuse_copy(is_taken(db, LOOK).await?)
}

async fn is_taken(db: &mut PgConnection, sql: &'static str) -> Result<bool, StorageError> {
    let taken = optional(db, query(sql), |row| row.flag("taken")).await?;
    Ok(taken.unwrap_or(false))
}

fn refuse_copy(is_free: bool) -> Result<(), StorageError> {
    if is_free {
        return Ok(());
    }
    let what = "the database, into which a copy is being made,";
    Err(StorageError::InUse(what.to_owned()))
}
