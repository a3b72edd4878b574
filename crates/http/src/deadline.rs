use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// As good as never.
const YEAR: Duration = Duration::from_hours(365 * 24);
/// How often the time is looked at when nothing is due sooner.
const TICK: Duration = Duration::from_secs(15);

/// A moment that is moved with each request. Moving a timer costs more than looking at the time, so
/// the timer only ticks.
pub struct Deadline {
    at: Instant,
    tick: Pin<Box<Sleep>>,
}

impl Deadline {
    /// A moment in `duration` from now.
    pub fn after(duration: Duration) -> Self {
        let at = far(duration);
        Self {
            at,
            tick: Box::pin(sleep_until(at.min(Instant::now() + TICK))),
        }
    }

    /// Moves it to `duration` from now.
    pub fn move_to(&mut self, duration: Duration) {
        self.set(far(duration));
    }

    /// Moves it to that moment.
    pub fn set(&mut self, at: Instant) {
        self.at = at;
        if self.at < self.tick.deadline() {
            self.tick.as_mut().reset(self.at);
        }
    }

    /// Ready once the moment has come.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.tick.as_mut().poll(context));
            let now = Instant::now();
            if self.at <= now {
                return Poll::Ready(());
            }
            self.tick.as_mut().reset(self.at.min(now + TICK));
        }
    }
}

impl Default for Deadline {
    /// A moment that is yet to be set.
    fn default() -> Self {
        Self::after(YEAR)
    }
}

fn far(duration: Duration) -> Instant {
    let now = Instant::now();
    now + duration.min(YEAR)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_comes_when_it_was_said_last() {
        for (first, last) in [(100, 1), (1, 100), (7, 7), (0, 12)] {
            let mut deadline = Deadline::after(Duration::from_secs(first));
            let began = Instant::now();
            deadline.move_to(Duration::from_secs(last));
            poll_fn(|context| deadline.poll(context)).await;
            assert_eq!(began.elapsed().as_secs(), last);
        }
    }
}
