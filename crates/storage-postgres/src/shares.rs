//! How many connections may be used for what, so that what waits for one thing does not keep the
//! others from theirs.

use std::sync::Arc;

use keygate_storage::{Concern, Concerns, StorageError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// What a connection is wanted for.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// A key's look-up, for which a request waits: any connection will do.
    Lookup,
    /// A reading: all but a fifth, which is kept for look-ups.
    Read,
    /// A transaction that changes something: half, for a commit may wait for another server without end.
    Write,
}

/// The concern while no write is answered.
const UNANSWERED: &str = "writes_unanswered";

const REFUSING: &str = "the database does not answer writes, so changes are refused until it answers one; \
    those under way may have been made. Look whether a synchronous standby is away";

/// The places of a pool.
#[derive(Clone)]
pub(crate) struct Shares {
    not_kept: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    max_writes: u32,
    /// How many writes the server has not answered in time.
    overdue: watch::Sender<u32>,
    concerns: Arc<Concerns>,
}

/// A place in a pool, until it is dropped.
#[derive(Default)]
pub(crate) struct Place {
    _not_kept: Option<OwnedSemaphorePermit>,
    _write: Option<OwnedSemaphorePermit>,
}

impl Shares {
    /// The places of a pool of this size.
    pub(crate) fn of(size: u32) -> Self {
        let kept = if size > 2 { (size / 5).max(1) } else { 0 };
        let max_writes = (size / 2).max(1);
        let places = |number: u32| Arc::new(Semaphore::new(number as usize));
        Self {
            not_kept: places(size - kept),
            writes: places(max_writes),
            max_writes,
            overdue: watch::Sender::new(0),
            concerns: Arc::default(),
        }
    }

    /// Waits for a place. While no write is answered, further ones are refused at once.
    pub(crate) async fn take(&self, purpose: Purpose) -> Result<Place, StorageError> {
        let write = match purpose {
            Purpose::Lookup => return Ok(Place::default()),
            Purpose::Read => None,
            Purpose::Write => Some(self.take_write().await?),
        };
        Ok(Place {
            _write: write,
            _not_kept: Some(permit(&self.not_kept).await?),
        })
    }

    async fn take_write(&self) -> Result<OwnedSemaphorePermit, StorageError> {
        let mut overdue = self.overdue.subscribe();
        tokio::select! {
            biased;
            _ = overdue.wait_for(|overdue| *overdue >= self.max_writes) =>
                Err(StorageError::unavailable(REFUSING)),
            place = permit(&self.writes) => place,
        }
    }

    /// Notes that a write is not answered in time, until what is given is dropped.
    pub(crate) fn overdue(&self) -> Overdue {
        self.overdue.send_modify(|overdue| *overdue += 1);
        if self.are_writes_refused() {
            self.concerns.raise(Concern::error(UNANSWERED, REFUSING));
        }
        Overdue(self.clone())
    }

    /// Whether no write is begun, since none is answered.
    pub(crate) fn are_writes_refused(&self) -> bool {
        *self.overdue.borrow() >= self.max_writes
    }

    /// What an operator has to know of it.
    pub(crate) fn concerns(&self) -> &Arc<Concerns> {
        &self.concerns
    }
}

async fn permit(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, StorageError> {
    let permit = places.clone().acquire_owned().await;
    permit.map_err(|_| StorageError::Closed)
}

/// A write that the server has not answered in time.
pub(crate) struct Overdue(Shares);

impl Drop for Overdue {
    fn drop(&mut self) {
        let Self(shares) = self;
        shares.overdue.send_modify(|overdue| *overdue -= 1);
        if !shares.are_writes_refused() {
            shares.concerns.lower(UNANSWERED);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    async fn place(shares: &Shares, purpose: Purpose) -> Place {
        shares.take(purpose).await.expect("there is a place")
    }

    #[tokio::test]
    async fn writes_leave_places_for_reading_and_both_for_looking_up() {
        for (size, writes, reads) in [(10, 5, 3), (6, 3, 2), (3, 1, 1), (2, 1, 1)] {
            let shares = Shares::of(size);
            let mut taken = Vec::new();
            for _ in 0..writes {
                taken.push(place(&shares, Purpose::Write).await);
            }
            assert!(shares.take(Purpose::Write).now_or_never().is_none());
            for _ in 0..reads {
                taken.push(place(&shares, Purpose::Read).await);
            }
            assert!(shares.take(Purpose::Read).now_or_never().is_none());
            place(&shares, Purpose::Lookup).await;
            taken.clear();
            place(&shares, Purpose::Write).await;
        }
    }

    #[tokio::test]
    async fn who_waits_to_write_is_refused_once_no_write_is_answered() {
        let shares = Shares::of(4);
        let places = [
            place(&shares, Purpose::Write).await,
            place(&shares, Purpose::Write).await,
        ];
        let mut waiting = Box::pin(shares.take(Purpose::Write));
        let first = shares.overdue();
        assert!(
            (&mut waiting).now_or_never().is_none(),
            "one may be answered"
        );
        let second = shares.overdue();
        let refused = waiting.now_or_never().expect("at once");
        assert!(matches!(refused, Err(StorageError::Unavailable(_))));
        assert_eq!(shares.concerns().list()[0].code, UNANSWERED);
        drop((first, second, places));
        assert!(shares.concerns().list().is_empty());
        place(&shares, Purpose::Write).await;
    }
}
