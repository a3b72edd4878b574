use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long an upstream has no more requests after it has failed one, if others can have them.
pub(crate) const AVOIDED: Duration = Duration::from_secs(10);

/// What is known of how well an upstream does.
#[derive(Default)]
pub(crate) struct Load {
    under_way: Arc<AtomicUsize>,
    /// Until when it is avoided since a request failed.
    avoided_until: Mutex<Option<Instant>>,
    /// Whether it failed when it was asked last.
    is_failing: AtomicBool,
}

impl Load {
    /// How many requests are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Counts a request as under way for as long as what this gives is kept.
    pub(crate) fn begin(&self) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(self.under_way.clone())
    }

    pub(crate) fn note_health(&self, is_well: bool) {
        self.is_failing.store(!is_well, Ordering::Relaxed);
        if is_well {
            *self.avoided_until.lock() = None;
        }
    }

    pub(crate) fn note_failure(&self) {
        *self.avoided_until.lock() = Some(Instant::now() + AVOIDED);
    }

    pub(crate) fn is_avoided(&self) -> bool {
        let until = *self.avoided_until.lock();
        self.is_failing.load(Ordering::Relaxed) || until.is_some_and(|until| Instant::now() < until)
    }
}

/// A request of an upstream that is not over.
pub(crate) struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
