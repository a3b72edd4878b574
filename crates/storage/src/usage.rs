use async_trait::async_trait;
use keygate_core::{KeyId, Timestamp};

use crate::StorageError;

/// When keys were last used.
#[async_trait]
pub trait UsageStore: Send + Sync {
    /// Moves each key's `last_used_at` forward to the time given, never back. Keys that are no
    /// longer there are passed over.
    async fn record_last_used(&self, uses: Vec<(KeyId, Timestamp)>) -> Result<(), StorageError>;
}
