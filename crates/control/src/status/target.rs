use std::sync::Arc;

use async_trait::async_trait;
use keygate_core::ProberId;
use keygate_storage::Store;

/// What a component is probed by.
#[async_trait]
pub trait Target: Send + Sync {
    /// Asks the component once, for real. It is cut off when it takes too long.
    async fn probe(&self) -> Result<(), ProbeFault>;
}

/// Why a probe failed, in words that anybody may read: no addresses, nothing from inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProbeFault {
    /// There was no answer.
    #[error("it could not be reached")]
    Unreachable,
    /// It took longer than a probe may.
    #[error("it did not answer in time")]
    TimedOut,
    /// It answered with this status, which says that it does not work.
    #[error("it answered with the status {0}")]
    Status(u16),
    /// It refused the credential that the operator has for it.
    #[error("it refused the credential that this service has for it")]
    RefusedCredential,
    /// It answered, but did not do what it is there for.
    #[error("it failed")]
    Failed,
}

/// The database, by a write and a read.
pub(super) struct Storage {
    pub(super) store: Arc<dyn Store>,
    pub(super) prober: ProberId,
}

#[async_trait]
impl Target for Storage {
    async fn probe(&self) -> Result<(), ProbeFault> {
        let done = self.store.write_and_read(self.prober).await;
        done.map_err(|error| {
            tracing::debug!(%error, "the probe of the database failed");
            ProbeFault::Failed
        })
    }
}
