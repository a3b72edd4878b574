//! Whether something can be written, by writing something.

use std::time::{Duration, Instant};

use futures_util::FutureExt;
use keygate_storage::StorageError;
use keygate_storage_sql::Ending;
use parking_lot::Mutex;
use sqlx::query;

use crate::{PostgresEngine, query::execute, statements::statements};

statements! {
    /// By connection, so that nodes do not wait for each other.
    WRITE = "INSERT INTO write_probe (slot, writes) VALUES (pg_backend_pid() % 64, 1) \
        ON CONFLICT (slot) DO UPDATE SET writes = write_probe.writes + 1";
}

/// How long a write proves that another one can be made.
const PROOF_LASTS: Duration = Duration::from_secs(1);

/// When a probe was last committed.
#[derive(Default)]
pub(crate) struct WriteProof(Mutex<Option<Instant>>);

impl WriteProof {
    fn is_fresh(&self) -> bool {
        self.0.lock().is_some_and(|at| at.elapsed() < PROOF_LASTS)
    }
}

impl PostgresEngine {
    /// Commits a change, unless that was just now done. A standby answers every question, too, and a
    /// server with a full disk most of them.
    pub(crate) async fn probe(&self) -> Result<(), StorageError> {
        if self.proof.is_fresh() {
            return Ok(());
        }
        self.in_transaction(|db| {
            async move { execute(db, query(WRITE)).await.map(Ending::Commit) }.boxed()
        })
        .await?;
        *self.proof.0.lock() = Some(Instant::now());
        Ok(())
    }
}
