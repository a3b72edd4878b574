use std::{
    collections::{BTreeMap, VecDeque},
    mem, sync,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use keygate_core::{KeyId, RecorderId, Timestamp};
use keygate_storage::{KeyUse, StorageError, UsageFlush, UsageStore};
use parking_lot::Mutex;
use tokio::time::MissedTickBehavior;
use triomphe::Arc;

use crate::cached_key::{CachedKey, Noted};

/// How many keys one flush has at most: no more than can be written before the store gives up.
const MAX_USES: usize = 10_000;

/// Of how many keys uses wait at most while they cannot be written. Uses of more keys are not counted, as
/// memory would be used up otherwise.
const MAX_WAITING: usize = 1_000_000;

/// Remembers how keys were used until [`flush`](Self::flush) writes it down: however often a key
/// is used, it is written once a flush.
pub struct UsageRecorder {
    id: RecorderId,
    max_waiting: usize,
    used: Mutex<Vec<Arc<CachedKey>>>,
    /// Uses of keys that were used more often since the last flush than the key itself can count.
    spilled: Mutex<Vec<KeyUse>>,
    dropped: AtomicU64,
    flushes: tokio::sync::Mutex<Flushes>,
}

#[derive(Default)]
struct Flushes {
    /// Uses that are in no flush yet, each key once.
    waiting: BTreeMap<KeyId, KeyUse>,
    /// How many flushes there were.
    count: u64,
    /// Those that are not known to be written, in their order.
    unwritten: VecDeque<sync::Arc<UsageFlush>>,
}

impl UsageRecorder {
    /// A recorder that has nothing to write yet.
    pub(crate) fn new(id: RecorderId) -> Self {
        Self::with_room(id, MAX_WAITING)
    }

    fn with_room(id: RecorderId, max_waiting: usize) -> Self {
        Self {
            id,
            max_waiting,
            used: Mutex::default(),
            spilled: Mutex::default(),
            dropped: AtomicU64::new(0),
            flushes: tokio::sync::Mutex::default(),
        }
    }

    /// Notes that `key` was accepted at `now`.
    pub(crate) fn record(&self, key: &Arc<CachedKey>, now: Timestamp) {
        match key.note_use(now) {
            Noted::Again => {}
            Noted::Full => self.spilled.lock().push(key.take_use()),
            Noted::First => {
                let mut used = self.used.lock();
                if used.len() < self.max_waiting {
                    used.push(key.clone());
                } else {
                    drop(used);
                    self.drop_use(&key.take_use());
                }
            }
        }
    }

    /// How many uses were not counted, since those of too many keys waited.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn drop_use(&self, one: &KeyUse) {
        self.dropped.fetch_add(one.requests, Ordering::Relaxed);
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
        let before = self.dropped();
        if let Err(error) = self.flush(store).await {
            tracing::warn!(%error, "the last uses of keys are not written yet");
        }
        let dropped = self.dropped() - before;
        if dropped > 0 {
            tracing::error!(
                dropped,
                "uses of keys are not counted: those of {} keys wait to be written",
                self.max_waiting
            );
        }
    }

    /// Writes down what was noted since the last flush.
    ///
    /// A flush that failed is sent again first, as it was, since it may have been written all the
    /// same. What is new waits until then, a sum for each key.
    pub async fn flush(&self, store: &(impl UsageStore + ?Sized)) -> Result<(), StorageError> {
        let mut flushes = self.flushes.lock().await;
        self.collect(&mut flushes.waiting);
        flushes.write(store).await?;
        // One by one, as each holds a copy of its keys in memory.
        while flushes.add_next(self.id) {
            flushes.write(store).await?;
        }
        Ok(())
    }

    /// Takes the uses from the keys, which may have left the cache meanwhile.
    fn collect(&self, waiting: &mut BTreeMap<KeyId, KeyUse>) {
        let used = mem::take(&mut *self.used.lock());
        let spilled = mem::take(&mut *self.spilled.lock());
        let used = used.iter().map(|key| key.take_use());
        for next in used.chain(spilled) {
            if let Some(one) = waiting.get_mut(&next.key_id) {
                one.last_used_at = one.last_used_at.max(next.last_used_at);
                one.requests = one.requests.saturating_add(next.requests);
            } else if waiting.len() < self.max_waiting {
                waiting.insert(next.key_id, next);
            } else {
                self.drop_use(&next);
            }
        }
    }
}

impl Flushes {
    /// Makes a flush of the uses that wait, or of as many as one can have; false if there are none.
    fn add_next(&mut self, recorder: RecorderId) -> bool {
        let next = (0..MAX_USES).map_while(|_| self.waiting.pop_first());
        let uses: Vec<KeyUse> = next.map(|(_, one)| one).collect();
        if uses.is_empty() {
            return false;
        }
        self.count += 1;
        self.unwritten.push_back(sync::Arc::new(UsageFlush {
            recorder,
            number: self.count,
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use async_trait::async_trait;
    use keygate_core::{AccountId, Credential, Scopes, SeededRandom};

    use super::*;

    /// Writes nothing while it is unavailable.
    #[derive(Default)]
    struct Ledger {
        is_away: AtomicBool,
        flushes: Mutex<Vec<sync::Arc<UsageFlush>>>,
    }

    impl Ledger {
        /// How many keys were written, and how many uses of all of them.
        fn written(&self) -> (usize, u64) {
            let flushes = self.flushes.lock();
            let uses = flushes.iter().flat_map(|flush| &flush.uses);
            let keys = uses.clone().count();
            (keys, uses.map(|one| one.requests).sum())
        }
    }

    #[async_trait]
    impl UsageStore for Ledger {
        async fn record_uses(&self, flush: sync::Arc<UsageFlush>) -> Result<(), StorageError> {
            if self.is_away.load(Ordering::SeqCst) {
                return Err(StorageError::Closed);
            }
            self.flushes.lock().push(flush);
            Ok(())
        }
    }

    const NOW: Timestamp = Timestamp::from_millis(0);

    fn credential(random: &SeededRandom) -> Credential {
        Credential {
            key_id: KeyId::generate(NOW, random),
            account_id: AccountId::generate(NOW, random),
            scopes: Scopes::default(),
            expires_at: None,
            is_active: true,
            account_suspended: false,
        }
    }

    fn recorder(random: &SeededRandom, max_waiting: usize) -> UsageRecorder {
        UsageRecorder::with_room(RecorderId::generate(NOW, random), max_waiting)
    }

    #[tokio::test]
    async fn a_hundred_thousand_uses_of_a_key_are_one_write_a_flush() {
        let random = SeededRandom::new(1);
        let (recorder, ledger) = (recorder(&random, 10), Ledger::default());
        let key = Arc::new(CachedKey::new(&credential(&random)));
        for _ in 0..100_000 {
            recorder.record(&key, NOW);
        }
        recorder.flush(&ledger).await.expect("written");
        recorder.flush(&ledger).await.expect("nothing to write");
        assert_eq!(ledger.flushes.lock().len(), 1);
        assert_eq!(ledger.written(), (1, 100_000));
    }

    #[tokio::test]
    async fn uses_of_a_key_that_comes_and_goes_wait_as_one() {
        let random = SeededRandom::new(1);
        let (recorder, ledger) = (recorder(&random, 10), Ledger::default());
        ledger.is_away.store(true, Ordering::SeqCst);
        let credential = credential(&random);
        for _ in 0..1_000 {
            // It was forgotten for others, and read again.
            recorder.record(&Arc::new(CachedKey::new(&credential)), NOW);
            recorder.flush(&ledger).await.expect_err("away");
        }
        assert!(recorder.flushes.lock().await.waiting.len() <= 1);
        ledger.is_away.store(false, Ordering::SeqCst);
        recorder.flush(&ledger).await.expect("written");
        assert_eq!(ledger.written().1, 1_000);
        assert_eq!(recorder.dropped(), 0);
    }

    #[tokio::test]
    async fn what_waits_is_bounded_and_what_is_dropped_is_counted() {
        let random = SeededRandom::new(1);
        let (recorder, ledger) = (recorder(&random, 100), Ledger::default());
        ledger.is_away.store(true, Ordering::SeqCst);
        for round in 0..3 {
            for _ in 0..150 {
                let key = Arc::new(CachedKey::new(&credential(&random)));
                recorder.record(&key, NOW);
                recorder.record(&key, NOW);
            }
            recorder.flush(&ledger).await.expect_err("away");
            assert!(
                recorder.flushes.lock().await.waiting.len() <= 100,
                "{round}"
            );
        }
        ledger.is_away.store(false, Ordering::SeqCst);
        recorder.flush(&ledger).await.expect("written");
        let (_, written) = ledger.written();
        assert_eq!(
            written + recorder.dropped(),
            3 * 150 * 2,
            "each is one or the other"
        );
        assert!(recorder.dropped() > 0);
    }

    #[tokio::test]
    async fn more_uses_than_a_key_can_count_are_counted() {
        let random = SeededRandom::new(1);
        let (recorder, ledger) = (recorder(&random, 10), Ledger::default());
        let key = Arc::new(CachedKey::new(&credential(&random)));
        recorder.record(&key, NOW);
        let uses = key.add_uses_until_full();
        for _ in 0..10 {
            recorder.record(&key, NOW);
        }
        recorder.flush(&ledger).await.expect("written");
        assert_eq!(ledger.written(), (1, 1 + uses + 10));
    }
}
