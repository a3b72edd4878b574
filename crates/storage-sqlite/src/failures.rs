use std::time::{Duration, Instant};

use keygate_storage::StorageError;

/// How often something that goes on failing is said again.
const SAY_EVERY: Duration = Duration::from_mins(1);

/// What goes wrong again and again, said once a minute.
pub(crate) struct Failures {
    /// What failed, for the log.
    what: &'static str,
    current: Option<Failure>,
}

struct Failure {
    error: String,
    said_at: Instant,
}

impl Failures {
    pub(crate) fn new(what: &'static str) -> Self {
        Self {
            what,
            current: None,
        }
    }

    /// Notes an attempt. A failure is logged if it is another one than before, or was long not said.
    pub(crate) fn note(&mut self, outcome: &Result<(), StorageError>) {
        let Err(error) = outcome else {
            if self.current.take().is_some() {
                tracing::info!("over: {}", self.what);
            }
            return;
        };
        let error = error.to_string();
        let is_said = self
            .current
            .as_ref()
            .is_some_and(|failure| failure.error == error && failure.said_at.elapsed() < SAY_EVERY);
        if !is_said {
            tracing::error!(%error, "{}", self.what);
            let said_at = Instant::now();
            self.current = Some(Failure { error, said_at });
        }
    }
}
