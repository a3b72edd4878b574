//! Forgetting what is over.

use std::time::Duration;

use keygate_storage::{Prunable, StorageError};
use tokio::time::sleep;

use crate::Control;

/// How often what is over is looked for, on average.
const PRUNE_EVERY: Duration = Duration::from_mins(10);
/// How many rows are forgotten at once, so that nobody waits for it for long.
const AT_ONCE: u32 = 1_000;

impl Control {
    /// Forgets what is over, again and again, without end. Nodes that started together do not do so
    /// together.
    pub async fn prune_regularly(&self) {
        loop {
            sleep(self.pause()).await;
            if let Err(error) = self.prune().await {
                tracing::warn!(%error, "what is over is not forgotten yet");
            }
        }
    }

    /// Forgets sessions, one-time links, forms and recorders that have been over for long enough, and what the
    /// record has of times that it does not have to keep.
    pub async fn prune(&self) -> Result<(), StorageError> {
        let record = self.policy.keep_audit.map(Prunable::AuditEntry);
        for what in Prunable::ALL.into_iter().chain(record) {
            while self.store.prune(what, AT_ONCE).await? == u64::from(AT_ONCE) {}
        }
        Ok(())
    }

    /// Between a half and one and a half of the average.
    fn pause(&self) -> Duration {
        let mut random = [0; 2];
        self.random.fill(&mut random);
        let part = f64::from(u16::from_be_bytes(random)) / f64::from(u16::MAX);
        PRUNE_EVERY.mul_f64(0.5 + part)
    }
}
