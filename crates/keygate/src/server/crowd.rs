//! The connections of all listeners, of which there are no more than there are descriptors for.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::{task::AbortHandle, time::Instant};

use super::activity::Activity;

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
    /// Since when they were idle, and the numbers, of those that had been for longest when it was looked
    /// last; the longest at the end.
    longest_idle: Vec<(u64, u64)>,
}

struct Member {
    seat: Seat,
    task: AbortHandle,
}

/// Whether a connection is used. It is not while its client alone is waited for, whether to ask, to send
/// the rest of what it asks, or to take what is answered. Clones tell of the same one.
#[derive(Clone)]
pub(super) struct Seat(Arc<Use>);

struct Use {
    began: Instant,
    /// The milliseconds since then at which the connection was used last, and one more; none while it is
    /// used.
    idle_since: AtomicU64,
    /// What is known instead once the HTTP library serves the connection.
    activity: OnceLock<Arc<Activity>>,
}

impl Seat {
    /// A connection that is not used, among those that there are since `began`.
    pub(super) fn idle(began: Instant) -> Self {
        let seat = Self(Arc::new(Use {
            began,
            idle_since: AtomicU64::default(),
            activity: OnceLock::new(),
        }));
        seat.note(false);
        seat
    }

    /// Notes whether the connection is used.
    pub(super) fn note(&self, is_used: bool) {
        let idle_since = if is_used {
            0
        } else {
            self.millis(Instant::now())
        };
        self.0.idle_since.store(idle_since, Ordering::Relaxed);
    }

    /// Has what goes on on the connection say from now on whether it is used.
    pub(super) fn follow(&self, activity: Arc<Activity>) {
        // There is one for each connection.
        let _ = self.0.activity.set(activity);
    }

    fn millis(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.0.began).as_millis();
        u64::try_from(since).unwrap_or(u64::MAX - 1) + 1
    }

    fn idle_since(&self) -> Option<u64> {
        if let Some(activity) = self.0.activity.get() {
            return activity.idle_since().map(|at| self.millis(at));
        }
        let since = self.0.idle_since.load(Ordering::Relaxed);
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
        // An `async` block would hold what is served twice: as it came, and as it is awaited.
        let served = serve(seat.clone()).map(move |()| drop(leave));
        let task = tokio::spawn(served);
        let task = task.abort_handle();
        members.by_number.insert(number, Member { seat, task });
        true
    }
}

impl Members {
    /// Ends the connection that was not used for longest.
    fn make_room(&mut self) -> bool {
        loop {
            let Some((since, number)) = self.longest_idle.pop() else {
                self.look();
                if self.longest_idle.is_empty() {
                    return false;
                }
                continue;
            };
            // What is idle only since it was looked has been for a shorter time than these.
            let member = self.by_number.get(&number);
            let is_idle_still =
                member.is_some_and(|member| member.seat.idle_since() == Some(since));
            if is_idle_still && let Some(member) = self.by_number.remove(&number) {
                member.task.abort();
                return true;
            }
        }
    }

    /// Looks for those that were not used for longest: as many at a time that it costs each newcomer no
    /// more to look at all than at a few.
    fn look(&mut self) {
        let members = self.by_number.iter();
        let idle =
            members.filter_map(|(number, member)| Some((member.seat.idle_since()?, *number)));
        self.longest_idle.extend(idle);
        self.longest_idle.sort_unstable();
        self.longest_idle
            .truncate(self.by_number.len().div_ceil(16));
        self.longest_idle.reverse();
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
