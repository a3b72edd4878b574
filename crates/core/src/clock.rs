use std::time::Duration;

use crate::Timestamp;

/// A source of time. Everything that needs the time takes a clock as a parameter.
pub trait Clock: Send + Sync + 'static {
    /// The time now, UTC.
    fn now(&self) -> Timestamp;

    /// The time since some moment in the past; it is never set back or forward. It may lag by
    /// [`MONOTONIC_LAG`].
    fn monotonic(&self) -> Duration;
}

/// How much later than [`Clock::monotonic`] says it can be: a tick of the slowest kernels (100 Hz).
pub const MONOTONIC_LAG: Duration = Duration::from_millis(10);

/// The operating system's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the system"
    )]
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    /// The kernel's coarse clock, which each check of a key can afford: a quarter of what the exact
    /// one costs.
    fn monotonic(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
        Duration::new(
            u64::try_from(time.tv_sec).unwrap_or_default(),
            u32::try_from(time.tv_nsec).unwrap_or_default(),
        )
    }
}

/// The processor time of this thread: what a test can measure while others run.
#[cfg(feature = "testing")]
pub fn thread_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// A clock that stands still until a test moves it.
#[cfg(feature = "testing")]
#[derive(Debug)]
pub struct ManualClock {
    millis: std::sync::atomic::AtomicI64,
    monotonic_millis: std::sync::atomic::AtomicU64,
}

#[cfg(feature = "testing")]
impl ManualClock {
    /// A clock standing at `start`.
    pub fn at(start: Timestamp) -> Self {
        Self {
            millis: start.as_millis().into(),
            monotonic_millis: 0.into(),
        }
    }

    /// Moves the clock; a negative number of milliseconds moves it back, but not what is monotonic.
    pub fn advance_millis(&self, millis: i64) {
        let order = std::sync::atomic::Ordering::SeqCst;
        self.millis.fetch_add(millis, order);
        if let Ok(forward) = u64::try_from(millis) {
            self.monotonic_millis.fetch_add(forward, order);
        }
    }
}

#[cfg(feature = "testing")]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.millis.load(std::sync::atomic::Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        let millis = &self.monotonic_millis;
        Duration::from_millis(millis.load(std::sync::atomic::Ordering::SeqCst))
    }
}
