use std::{fmt::Display, time::Duration};

use tokio::time::{Instant, sleep};

/// How long what a program needs at its start is asked for again.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause before the next attempt.
const PAUSE: Duration = Duration::from_millis(250);

/// Tries what a program needs at its start again for ten seconds while it fails by what may pass, so
/// that a database that is away for a moment does not end it. Fails with the first cause: what follows
/// is often only that time was up.
pub async fn patiently<T, E: Display>(
    what: &str,
    may_pass: impl Fn(&E) -> bool,
    work: impl AsyncFn() -> Result<T, E>,
) -> Result<T, E> {
    let deadline = Instant::now() + PATIENCE;
    let mut first = None;
    loop {
        let error = match work().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let is_over = !may_pass(&error) || Instant::now() >= deadline;
        if first.is_none() && !is_over {
            tracing::warn!(%error, "{what} failed; it is tried again for {PATIENCE:?}");
        }
        let cause = first.take().unwrap_or(error);
        if is_over {
            return Err(cause);
        }
        first = Some(cause);
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_fails_for_a_moment_is_tried_until_it_succeeds() {
        let attempts = Cell::new(0);
        let done = patiently(
            "a test",
            |_: &&str| true,
            async || {
                attempts.set(attempts.get() + 1);
                if attempts.get() < 5 {
                    return Err("away");
                }
                Ok(attempts.get())
            },
        );
        assert_eq!(done.await, Ok(5));
    }

    #[tokio::test(start_paused = true)]
    async fn what_keeps_failing_fails_with_its_first_cause_after_ten_seconds() {
        let (began, attempts) = (Instant::now(), Cell::new(0));
        let failed = patiently(
            "a test",
            |_: &i32| true,
            async || {
                attempts.set(attempts.get() + 1);
                Err::<(), _>(attempts.get())
            },
        );
        assert_eq!(failed.await, Err(1));
        assert!((PATIENCE..PATIENCE * 2).contains(&began.elapsed()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_pass_is_not_tried_again() {
        let began = Instant::now();
        let failed = patiently("a test", |_: &&str| false, async || Err::<(), _>("refused"));
        assert_eq!(failed.await, Err("refused"));
        assert!(began.elapsed().is_zero());
    }
}
