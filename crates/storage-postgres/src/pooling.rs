//! Whether the sessions that keygate has are its own.

use std::collections::HashSet;

use keygate_storage::StorageError;
use sqlx::{PgConnection, Row, raw_sql};

use crate::{PostgresOptions, database::Database, error::storage_error, shares::Purpose};

/// Which of two connections is asked in turn to which session it leads. However a pool chooses among its own,
/// by age or the other way round, in this order one of ours meets two of them, or both meet the same.
const ASKED: [usize; 8] = [0, 1, 1, 0, 0, 0, 1, 1];

const SHARED: &str = "a pool between keygate and PostgreSQL gives each transaction some other session, \
    where settings and notifications get lost: set it to keep them apart (pgbouncer: pool_mode = session), \
    or connect to PostgreSQL itself";

/// Refuses a pool that shares sessions: a connection leads to one after another, or two to the same.
pub(crate) async fn refuse_shared_sessions(options: &PostgresOptions) -> Result<(), StorageError> {
    // A connection that broke meanwhile and was made anew has another session, too, but not again.
    if are_shared(options).await? && are_shared(options).await? {
        return Err(StorageError::unsuitable(SHARED));
    }
    Ok(())
}

async fn are_shared(options: &PostgresOptions) -> Result<bool, StorageError> {
    let connect = options.connect().map_err(storage_error)?;
    let ours =
        [(); 2].map(|()| Database::new(connect.clone(), options, 1, options.statement_timeout));
    let asked = ask(&ours).await;
    for database in &ours {
        database.close().await;
    }
    let [one, other] = asked?;
    Ok(one.len() > 1 || other.len() > 1 || !one.is_disjoint(&other))
}

/// The sessions to which each leads, asked one after the other: a pool that has two things to do at a time
/// has two sessions for them, and may by chance keep to one for each. So no connection goes back in between,
/// which would have it asked whether it is well.
async fn ask(ours: &[Database; 2]) -> Result<[HashSet<i32>; 2], StorageError> {
    let mut found = [HashSet::new(), HashSet::new()];
    let [one, other] = ours;
    one.in_time(async {
        let mut held = [
            one.borrow_for(Purpose::Read).await?,
            other.borrow_for(Purpose::Read).await?,
        ];
        for which in ASKED {
            found[which].insert(session(&mut held[which]).await?);
        }
        Ok(())
    })
    .await?;
    Ok(found)
}

/// The process that serves this session. A prepared statement would fail where sessions are shared.
async fn session(db: &mut PgConnection) -> Result<i32, StorageError> {
    let row = raw_sql("SELECT pg_backend_pid() AS pid").fetch_one(db);
    let row = row.await.map_err(storage_error)?;
    row.try_get("pid").map_err(storage_error)
}
