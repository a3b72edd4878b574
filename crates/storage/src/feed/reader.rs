use std::{sync::Arc, time::Duration};

use keygate_core::{Clock, Timestamp};
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use tokio::{sync::Notify, time};

use super::{ChangeFeed, ChangeMark, Continuity, FeedPage, FeedPosition, trail::Trail};
use crate::{ChangeListeners, Concern, Concerns, FeedMetrics, Lease, StorageError};

/// Follows a feed, tells the listeners, and holds the lease.
pub struct FeedReader<F> {
    feed: F,
    position: FeedPosition,
    trail: Trail,
    listeners: Arc<ChangeListeners>,
    lease: Arc<Lease>,
    term: Duration,
    clock: Arc<dyn Clock>,
    was_stale: bool,
    concerns: Arc<Concerns>,
    /// When it was last found that the database had gone back, while that is a concern.
    lost_at: Option<Duration>,
    metrics: FeedMetrics,
}

/// How many readings there are to a term at least.
const READINGS_PER_TERM: u32 = 4;

/// The code of the concern that the database has gone back.
const HISTORY_LOST: &str = "history_lost";
/// How long it is one, unless the program is started anew before.
const CONCERN_LASTS: Duration = Duration::from_hours(24);

impl<F: ChangeFeed> FeedReader<F> {
    /// A reader of what follows `position`, where the lease has this term by this clock.
    pub fn new(
        feed: F,
        position: FeedPosition,
        listeners: Arc<ChangeListeners>,
        lease: Arc<Lease>,
        term: Duration,
        clock: Arc<dyn Clock>,
        concerns: Arc<Concerns>,
    ) -> Self {
        let metrics = FeedMetrics {
            revision: Gauge::default(),
            histories_lost: Counter::default(),
            lease: lease.clone(),
        };
        metrics.revision.set(position.mark.revision);
        let mut trail = Trail::default();
        trail.extend([position.mark]);
        Self {
            feed,
            position,
            trail,
            listeners,
            lease,
            term,
            clock,
            was_stale: false,
            concerns,
            lost_at: None,
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
        let page = time::timeout(self.term, self.feed.read(&self.position))
            .await
            .map_err(|_| StorageError::unavailable("the change feed does not answer"))??;
        let is_last = page.is_last;
        self.take_in(page).await;
        if is_last {
            if self.lease.is_lost() {
                tracing::info!("the change feed is read again");
            }
            self.lease.renew(began);
        }
        self.lower_concern(began);
        Ok(is_last)
    }

    /// Tells the listeners first of all: what they have may be of another history.
    async fn take_in(&mut self, page: FeedPage) {
        if page.is_complete && page.continuity == Continuity::Same {
            self.listeners.keys_changed(&page.changed);
        } else {
            self.listeners.everything_changed();
        }
        let before = std::mem::replace(&mut self.position, page.position);
        self.metrics.revision.set(self.position.mark.revision);
        match page.continuity {
            Continuity::Same if page.is_complete => {}
            Continuity::Same => tracing::info!("all that is known of keys is read anew"),
            Continuity::Moved => tracing::info!(
                revision = before.mark.revision,
                "the database was restarted or replaced; what was read of it is there. All that is known of keys is read anew"
            ),
            Continuity::Lost => self.history_lost(before.mark).await,
        }
        self.trail.extend(page.marks);
    }

    /// Says from where on changes may be lost, which is up to where the database has what was read.
    async fn history_lost(&mut self, read: ChangeMark) {
        self.metrics.histories_lost.inc();
        let marks = self.trail.take();
        let oldest = marks.first().map_or(read, |mark| *mark);
        let common = time::timeout(self.term, self.feed.newest_of(marks)).await;
        let common = common.ok().and_then(Result::ok).flatten();
        let message = describe_loss(read, oldest, common);
        self.concerns.raise(Concern::error(HISTORY_LOST, message));
        self.lost_at = Some(self.clock.monotonic());
    }

    fn lower_concern(&mut self, now: Duration) {
        let is_over = |lost_at: Duration| now.saturating_sub(lost_at) >= CONCERN_LASTS;
        if self.lost_at.is_some_and(is_over) {
            self.lost_at = None;
            self.concerns.lower(HISTORY_LOST);
        }
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

fn describe_loss(
    read: ChangeMark,
    oldest: ChangeMark,
    common: Option<(ChangeMark, Timestamp)>,
) -> String {
    let since = match common {
        Some((mark, at)) => format!("revision {} of {at}", mark.revision),
        None => format!("a revision before {}", oldest.revision),
    };
    format!(
        "The database has gone back: it was restored, or failed over to a server that did not have \
         everything. What was acknowledged after {since} may be lost, revocations of keys among it; \
         this node had read up to revision {}. It has forgotten what it knew of keys and goes by what the \
         database says now, so later changes hold. Revoke again what was revoked since, then restart the \
         nodes.",
        read.revision
    )
}
