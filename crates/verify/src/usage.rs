use std::{collections::HashMap, sync::Arc, time::Duration};

use keygate_core::{KeyId, Timestamp};
use keygate_storage::{StorageError, UsageStore};
use parking_lot::Mutex;
use tokio::time::MissedTickBehavior;

use crate::CachedKey;

/// Remembers which keys were used until [`flush`](Self::flush) writes it down: however often a key
/// is used, it is written once a flush.
#[derive(Default)]
pub struct UsageRecorder {
    used: Mutex<Vec<Arc<CachedKey>>>,
    /// What a failed flush could not write.
    unwritten: Mutex<HashMap<KeyId, Timestamp>>,
}

impl UsageRecorder {
    /// Notes that `key` was accepted at `now`.
    pub(crate) fn record(&self, key: &Arc<CachedKey>, now: Timestamp) {
        if key.note_use(now) {
            self.used.lock().push(key.clone());
        }
    }

    /// Flushes again and again, without end. A flush that fails is logged, and made up for by the next.
    pub async fn flush_every(&self, period: Duration, store: &(impl UsageStore + ?Sized)) {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.flush_or_log(store).await;
        }
    }

    /// Flushes; a failure is logged.
    pub async fn flush_or_log(&self, store: &(impl UsageStore + ?Sized)) {
        if let Err(error) = self.flush(store).await {
            tracing::warn!(%error, "the last uses of keys are not written yet");
        }
    }

    /// Writes down what was noted since the last flush. What could not be written is kept for the
    /// next one.
    pub async fn flush(&self, store: &(impl UsageStore + ?Sized)) -> Result<(), StorageError> {
        let mut uses = std::mem::take(&mut *self.unwritten.lock());
        for key in std::mem::take(&mut *self.used.lock()) {
            let used_at = key.take_use();
            let latest = uses.entry(key.credential.key_id).or_insert(used_at);
            *latest = used_at.max(*latest);
        }
        if uses.is_empty() {
            return Ok(());
        }
        let written = store
            .record_last_used(uses.iter().map(|(id, at)| (*id, *at)).collect())
            .await;
        if written.is_err() {
            *self.unwritten.lock() = uses;
        }
        written
    }
}
