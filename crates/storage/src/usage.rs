use std::sync::Arc;

use async_trait::async_trait;
use keygate_core::{KeyId, RecorderId, Timestamp};

use crate::StorageError;

/// How a key was used since the flush before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUse {
    /// Which key.
    pub key_id: KeyId,
    /// When it let a request through last.
    pub last_used_at: Timestamp,
    /// How many it let through.
    pub requests: u64,
}

/// What one recorder writes down at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageFlush {
    /// Who counted.
    pub recorder: RecorderId,
    /// Which of its flushes this is. Each is greater than the one before; one that is tried again
    /// keeps its number.
    pub number: u64,
    /// Each key once, in the order of their ids.
    pub uses: Vec<KeyUse>,
}

/// How keys were used.
#[async_trait]
pub trait UsageStore: Send + Sync {
    /// Moves each key's `last_used_at` forward to the time given, never back, and adds to its
    /// `request_count`. Keys that are no longer there are passed over, and so is a flush that was
    /// written already: whoever got no answer may send the same again.
    async fn record_uses(&self, flush: Arc<UsageFlush>) -> Result<(), StorageError>;
}
