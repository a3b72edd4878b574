//! The connections of all listeners, of which there are no more than there are descriptors for.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::{task::AbortHandle, time::Instant};

/// The connections that clients have. There is a limit to them: at it, the one that was not used for longest
/// makes room for the next.
pub(super) struct Crowd {
    limit: usize,
    began: Instant,
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    by_number: HashMap<u64, Member>,
    next: u64,
}

struct Member {
    seat: Seat,
    task: AbortHandle,
}

/// Whether a connection is used. Clones tell of the same one.
#[derive(Clone)]
pub(super) struct Seat {
    /// The milliseconds since the beginning at which it was used last, and one more; none while it is used.
    idle_since: Arc<AtomicU64>,
    began: Instant,
}

impl Seat {
    /// A connection that is not used, among those that there are since `began`.
    pub(super) fn idle(began: Instant) -> Self {
        let seat = Self {
            idle_since: Arc::default(),
            began,
        };
        seat.note(false);
        seat
    }

    /// Notes whether a request is under way.
    pub(super) fn note(&self, is_used: bool) {
        let since = || u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1;
        let idle_since = if is_used { 0 } else { since() };
        self.idle_since.store(idle_since, Ordering::Relaxed);
    }

    fn idle_since(&self) -> Option<u64> {
        let since = self.idle_since.load(Ordering::Relaxed);
        (since > 0).then_some(since)
    }
}

impl Crowd {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            began: Instant::now(),
            members: Mutex::default(),
        })
    }

    /// Serves a connection, unless all that there may be are in use. Whether it does.
    pub(super) fn admit<F>(self: &Arc<Self>, serve: impl FnOnce(Seat) -> F) -> bool
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut members = self.members.lock();
        if members.by_number.len() >= self.limit && !members.make_room() {
            return false;
        }
        let number = members.next;
        members.next += 1;
        let seat = Seat::idle(self.began);
        let leave = Leave(self.clone(), number);
        let served = serve(seat.clone());
        let task = tokio::spawn(async move {
            let _leave = leave;
            served.await;
        });
        let task = task.abort_handle();
        members.by_number.insert(number, Member { seat, task });
        true
    }
}

impl Members {
    /// Ends the connection that was not used for longest.
    fn make_room(&mut self) -> bool {
        let idle = self
            .by_number
            .iter()
            .filter_map(|(number, member)| Some((member.seat.idle_since()?, *number)));
        let Some((_, longest)) = idle.min() else {
            return false;
        };
        if let Some(member) = self.by_number.remove(&longest) {
            member.task.abort();
        }
        true
    }
}

/// Gives up a connection's place when it ends.
struct Leave(Arc<Crowd>, u64);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.members.lock().by_number.remove(&self.1);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::{
        sync::mpsc,
        time::{Duration, advance},
    };

    use super::*;

    /// Tells of its number when it is dropped.
    struct Told(u8, mpsc::UnboundedSender<u8>);

    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.1.send(self.0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_limit_the_longest_idle_makes_room_and_none_that_is_used_does() {
        let crowd = Crowd::new(3);
        let (sender, mut ended) = mpsc::unbounded_channel();
        let mut seats = Vec::new();
        for number in 0..3 {
            let told = Told(number, sender.clone());
            crowd.admit(|seat| {
                seats.push(seat);
                async move {
                    let _told = told;
                    pending::<()>().await;
                }
            });
            advance(Duration::from_millis(5)).await;
        }
        seats[1].note(true);
        seats[0].note(false);
        for expected in [2, 0] {
            crowd.admit(|seat| {
                seat.note(true);
                pending()
            });
            assert_eq!(ended.recv().await, Some(expected));
        }
        let is_admitted = crowd.admit(|_| pending());
        assert!(!is_admitted);
        assert_eq!(crowd.members.lock().by_number.len(), 3);
        assert!(ended.try_recv().is_err());
    }
}
