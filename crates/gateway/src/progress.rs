//! The progress of an exchange, and which side it waits for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// How long a client may send nothing of a body that it has announced.
pub(crate) const BODY_SILENCE: Duration = Duration::from_secs(30);

/// What an exchange waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// The client has to send more.
    Client,
    /// The upstream has to read what was sent.
    Upstream,
    /// The whole request is sent, and the upstream has to answer.
    Answer,
    /// The client aborted, or sent invalid HTTP.
    Nobody,
}

const WAITINGS: [Waiting; 4] = [
    Waiting::Client,
    Waiting::Upstream,
    Waiting::Answer,
    Waiting::Nobody,
];

/// What did not happen in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Late {
    /// More of the body, from the client.
    Body,
    /// The upstream's answer.
    Answer,
}

/// How long an upstream is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Until it answers.
    pub(crate) response: Duration,
    /// Until it takes more of a body, where its connection does not tell.
    pub(crate) write: Option<Duration>,
}

/// How far a request is, and since when.
pub(crate) struct Progress {
    began: Instant,
    /// The milliseconds since it began, times four, and one of [`WAITINGS`].
    state: AtomicU64,
}

impl Progress {
    pub(crate) fn begin() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            state: AtomicU64::new(Waiting::Upstream as u64),
        })
    }

    fn note(&self, waiting: Waiting) {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX / 4);
        let state = (millis << 2) | waiting as u64;
        self.state.store(state, Ordering::Relaxed);
    }

    fn waiting(&self) -> (Waiting, Instant) {
        let state = self.state.load(Ordering::Relaxed);
        let since = self.began + Duration::from_millis(state >> 2);
        (WAITINGS[(state & 3) as usize], since)
    }

    pub(crate) fn wait_for_client(&self) {
        // It may be asked more than once for the same piece.
        if self.waiting().0 != Waiting::Client {
            self.note(Waiting::Client);
        }
    }

    pub(crate) fn wait_for_upstream(&self) {
        self.note(Waiting::Upstream);
    }

    pub(crate) fn note_all_sent(&self) {
        self.note(Waiting::Answer);
    }

    pub(crate) fn note_client_failure(&self) {
        self.note(Waiting::Nobody);
    }

    pub(crate) fn is_all_sent(&self) -> bool {
        self.waiting().0 == Waiting::Answer
    }

    /// Whether the client aborted.
    pub(crate) fn has_client_failed(&self) -> bool {
        self.waiting().0 == Waiting::Nobody
    }

    /// The deadline for the next step, and what is late after it.
    pub(crate) fn deadline(&self, patience: Patience) -> Option<(Instant, Late)> {
        let (waiting, since) = self.waiting();
        match waiting {
            Waiting::Client => {
                let silence = BODY_SILENCE.min(patience.response);
                Some((since + silence, Late::Body))
            }
            Waiting::Answer => Some((since + patience.response, Late::Answer)),
            Waiting::Upstream => patience.write.map(|write| (since + write, Late::Answer)),
            Waiting::Nobody => None,
        }
    }
}
