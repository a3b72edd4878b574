//! What somebody may read of a thing that others change meanwhile.

use std::time::Duration;

use super::event::Event;

/// A state that was written, in the order in which such writes were made.
#[derive(Debug, Clone)]
pub struct Written<S> {
    pub began: Duration,
    /// When it was known to be written, if ever.
    pub acknowledged: Option<Duration>,
    pub node: usize,
    pub state: S,
}

impl<S> Written<S> {
    /// What an event made of a thing.
    pub fn by(event: &Event, state: S) -> Self {
        Self {
            began: event.began,
            acknowledged: event.is_done().then_some(event.ended),
            node: event.node,
            state,
        }
    }

    /// What a thing is before anything is done with it.
    pub fn first(state: S) -> Self {
        Self {
            began: Duration::ZERO,
            acknowledged: Some(Duration::ZERO),
            node: 0,
            state,
        }
    }
}

/// The states that somebody may have read: the last one that they must have known, and all that were
/// being written since. What another node has acknowledged is known after `lag`.
pub fn possible<'a, S>(
    writes: &'a [Written<S>],
    read: &Event,
    lag: Duration,
) -> impl Iterator<Item = &'a S> {
    let is_known = |write: &Written<S>| {
        let lag = if write.node == read.node {
            Duration::ZERO
        } else {
            lag
        };
        let acknowledged = write.acknowledged;
        acknowledged.is_some_and(|acknowledged| acknowledged + lag < read.began)
    };
    let known = writes.iter().rposition(is_known).unwrap_or(0);
    let (known, since) = writes[known..].split_at(writes.len().min(1));
    let since = since.iter().take_while(|write| write.began < read.ended);
    known.iter().chain(since).map(|write| &write.state)
}

/// Whether each was written before those that began when it had been acknowledged.
pub fn is_in_order<S>(writes: &[Written<S>]) -> bool {
    let mut latest = Duration::ZERO;
    writes.iter().all(|write| {
        let is_late = write
            .acknowledged
            .is_some_and(|acknowledged| acknowledged < latest);
        latest = latest.max(write.began);
        !is_late
    })
}
