use std::{collections::VecDeque, sync, time::Duration};

use keygate_core::{RecorderId, Timestamp};
use keygate_storage::{KeyUse, StorageError, UsageFlush, UsageStore};
use parking_lot::Mutex;
use tokio::time::MissedTickBehavior;
use triomphe::Arc;

use crate::cached_key::CachedKey;

/// How many keys one flush has at most: no more than can be written before the store gives up.
const MAX_USES: usize = 10_000;

/// Remembers how keys were used until [`flush`](Self::flush) writes it down: however often a key
/// is used, it is written once a flush.
pub struct UsageRecorder {
    id: RecorderId,
    used: Mutex<Vec<Arc<CachedKey>>>,
    flushes: tokio::sync::Mutex<Flushes>,
}

#[derive(Default)]
struct Flushes {
    /// Keys that were used and are in no flush yet.
    queued: Vec<Arc<CachedKey>>,
    /// How many there were.
    count: u64,
    /// Those that are not known to be written, in their order.
    unwritten: VecDeque<sync::Arc<UsageFlush>>,
}

impl UsageRecorder {
    /// A recorder that has nothing to write yet.
    pub(crate) fn new(id: RecorderId) -> Self {
        Self {
            id,
            used: Mutex::default(),
            flushes: tokio::sync::Mutex::default(),
        }
    }

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

    /// Writes down what was noted since the last flush.
    ///
    /// A flush that failed is sent again first, as it was, since it may have been written all the
    /// same. Until then what is new waits at the keys, so that no more than the cache's keys wait.
    pub async fn flush(&self, store: &(impl UsageStore + ?Sized)) -> Result<(), StorageError> {
        let mut flushes = self.flushes.lock().await;
        flushes.write(store).await?;
        let used = &mut std::mem::take(&mut *self.used.lock());
        flushes.queued.append(used);
        // One by one, as each holds a copy of its keys in memory.
        while flushes.add_next(self.id) {
            flushes.write(store).await?;
        }
        Ok(())
    }
}

impl Flushes {
    /// Makes a flush of the keys in the queue, or of as many as one can have; false if there is none.
    fn add_next(&mut self, recorder: RecorderId) -> bool {
        let rest = self.queued.len().saturating_sub(MAX_USES);
        let uses = take_uses(&self.queued.split_off(rest));
        self.queued.shrink_to_fit();
        let Some(at) = uses.iter().map(|one| one.last_used_at).max() else {
            return false;
        };
        self.count += 1;
        self.unwritten.push_back(sync::Arc::new(UsageFlush {
            recorder,
            number: self.count,
            at,
            uses,
        }));
        true
    }

    async fn write(&mut self, store: &(impl UsageStore + ?Sized)) -> Result<(), StorageError> {
        while let Some(flush) = self.unwritten.front() {
            store.record_uses(flush.clone()).await?;
            self.unwritten.pop_front();
        }
        Ok(())
    }
}

fn take_uses(keys: &[Arc<CachedKey>]) -> Vec<KeyUse> {
    let mut uses: Vec<KeyUse> = keys.iter().map(|key| key.take_use()).collect();
    uses.sort_unstable_by_key(|one| one.key_id);
    // A key that was changed in between is there twice.
    uses.dedup_by(|next, one| {
        let is_same = next.key_id == one.key_id;
        if is_same {
            one.last_used_at = one.last_used_at.max(next.last_used_at);
            one.requests += next.requests;
        }
        is_same
    });
    uses
}
