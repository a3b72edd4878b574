use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use keygate_core::{Clock, key::KeyHash};
use prometheus_client::metrics::gauge::Gauge;
use tokio::{sync::Notify, time};

use crate::{ChangeListeners, FeedMetrics, Lease, StorageError};

/// The changes that several processes make to one database, each with a revision. Revisions become
/// visible in their order: whoever has seen one has seen all before it.
#[async_trait]
pub trait ChangeFeed: Send + Sync {
    /// The changes after a revision, as many as fit a page.
    async fn read(&self, after: u64) -> Result<FeedPage, StorageError>;
}

/// A part of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPage {
    /// Whose key changed.
    pub changed: Vec<KeyHash>,
    /// The revision up to which the page goes.
    pub position: u64,
    /// Whether it reached the end of the feed.
    pub is_last: bool,
    /// Whether it names each key that changed. Otherwise any may have: changes are forgotten, or were
    /// too many.
    pub is_complete: bool,
}

/// Follows a feed, tells the listeners, and holds the lease.
pub struct FeedReader<F> {
    feed: F,
    position: u64,
    listeners: Arc<ChangeListeners>,
    lease: Arc<Lease>,
    term: Duration,
    clock: Arc<dyn Clock>,
    was_stale: bool,
    metrics: FeedMetrics,
}

/// How many readings there are to a term at least.
const READINGS_PER_TERM: u32 = 4;

impl<F: ChangeFeed> FeedReader<F> {
    /// A reader of what follows `position`, where the lease has this term by this clock.
    pub fn new(
        feed: F,
        position: u64,
        listeners: Arc<ChangeListeners>,
        lease: Arc<Lease>,
        term: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let metrics = FeedMetrics {
            revision: Gauge::default(),
            lease: lease.clone(),
        };
        metrics.revision.set(position);
        Self {
            feed,
            position,
            listeners,
            lease,
            term,
            clock,
            was_stale: false,
            metrics,
        }
    }

    /// How far it has come, also while it reads.
    pub fn metrics(&self) -> FeedMetrics {
        self.metrics.clone()
    }

    /// Reads without end: whenever it is woken, and often enough for the lease.
    pub async fn run(mut self, wake: Arc<Notify>) {
        loop {
            match self.read().await {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => self.failed(&error),
            }
            let pause = time::sleep(self.term / READINGS_PER_TERM);
            tokio::select! {
                () = wake.notified() => {}
                () = pause => {}
            }
        }
    }

    /// Reads a page. True if it was the last.
    async fn read(&mut self) -> Result<bool, StorageError> {
        let began = self.clock.monotonic();
        let page = time::timeout(self.term, self.feed.read(self.position))
            .await
            .map_err(|_| StorageError::Unavailable("the change feed does not answer".into()))??;
        if page.is_complete {
            self.listeners.keys_changed(&page.changed);
        } else {
            tracing::info!("all that is known of keys is read anew");
            self.listeners.everything_changed();
        }
        self.position = page.position;
        self.metrics.revision.set(page.position);
        if page.is_last {
            if self.lease.is_lost() {
                tracing::info!("the change feed is read again");
            }
            self.lease.renew(began);
        }
        Ok(page.is_last)
    }

    /// Says so once, and once more when keys are decided about by what may be out of date.
    fn failed(&mut self, error: &StorageError) {
        if !self.lease.is_lost() {
            tracing::warn!(%error, "the change feed cannot be read");
        }
        self.lease.lose();
        let is_stale = self.lease.stale_age().is_some();
        if is_stale && !self.was_stale {
            tracing::warn!("the database is away: keys are decided about by what is in memory");
        }
        self.was_stale = is_stale;
    }
}
