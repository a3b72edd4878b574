//! Whether the sessions that keygate has are its own.

use std::collections::HashSet;

use futures_util::FutureExt;
use keygate_storage::StorageError;
use sqlx::{PgConnection, Row, raw_sql};

use crate::{database::Database, error::unavailable};

/// How often each of two connections is asked which session it leads to.
const ROUNDS: usize = 4;

const SHARED: &str = "a pool between keygate and PostgreSQL gives each transaction some other session, \
    where settings and notifications get lost: set it to keep them apart (pgbouncer: pool_mode = session), \
    or connect to PostgreSQL itself";

/// Refuses a pool that shares sessions: two connections that are both open lead to one of them there.
///
/// `one` and `two` have a connection each. They are asked in turn, so that the session that one has
/// given back is there for the other.
pub(crate) async fn refuse_shared_sessions(
    one: &Database,
    two: &Database,
) -> Result<(), StorageError> {
    let (mut of_one, mut of_two) = (HashSet::new(), HashSet::new());
    for _ in 0..ROUNDS {
        of_one.insert(one.read(|db| session(db).boxed()).await?);
        of_two.insert(two.read(|db| session(db).boxed()).await?);
    }
    if of_one.is_disjoint(&of_two) {
        return Ok(());
    }
    Err(StorageError::Unsuitable(SHARED))
}

/// The process that serves this session. A prepared statement would fail where sessions are shared.
async fn session(db: &mut PgConnection) -> Result<i32, StorageError> {
    let row = raw_sql("SELECT pg_backend_pid() AS pid").fetch_one(db);
    let row = row.await.map_err(unavailable)?;
    row.try_get("pid").map_err(unavailable)
}
