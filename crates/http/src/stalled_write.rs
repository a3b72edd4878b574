use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Sleep, sleep};

/// Fails writes of which nothing is taken for too long.
pub struct StalledWrite {
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl StalledWrite {
    /// Waits so long for the other end to take something.
    pub fn after(patience: Duration) -> Self {
        Self {
            patience,
            stalled: None,
        }
    }

    /// Whether the other end has taken nothing since the last write.
    pub fn is_stalled(&self) -> bool {
        self.stalled.is_some()
    }

    /// Passes on how a write went, or that it has taken too long.
    pub fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}
