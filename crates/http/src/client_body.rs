use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use hyper::body::{Bytes, Incoming};
use parking_lot::Mutex;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

/// The body of a request as it comes from the client.
pub struct ClientBody {
    body: Incoming,
    ended: BodyEnd,
    /// What was taken of it and put back.
    held: Option<Held>,
}

struct Held {
    whole: Bytes,
    /// For the room that it takes.
    _room: OwnedSemaphorePermit,
}

/// How far a body is that somebody takes. Clones tell of the same one.
#[derive(Debug, Clone, Default)]
pub struct BodyEnd(Arc<Mutex<State>>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// There may be something that was not taken yet.
    #[default]
    Untaken,
    /// Whoever takes it waits for more, and has since then.
    Awaited(Instant),
    /// Nothing more of it is to come.
    Ended,
}

impl BodyEnd {
    /// Whether nothing more of it is to come.
    pub fn has_come(&self) -> bool {
        *self.0.lock() == State::Ended
    }

    /// Since when more of it is waited for, if it is.
    pub fn awaited_since(&self) -> Option<Instant> {
        match *self.0.lock() {
            State::Awaited(since) => Some(since),
            State::Untaken | State::Ended => None,
        }
    }

    /// Notes that more of it is waited for.
    pub fn note_awaited(&self) {
        let mut state = self.0.lock();
        if !matches!(*state, State::Awaited(_)) {
            *state = State::Awaited(Instant::now());
        }
    }

    fn note(&self, state: State) {
        *self.0.lock() = state;
    }
}

impl ClientBody {
    /// The body, of which [`ClientBody::end`] tells how far it has come.
    pub fn new(body: Incoming) -> Self {
        let ended = BodyEnd::default();
        if body.is_end_stream() {
            ended.note(State::Ended);
        }
        Self {
            body,
            ended,
            held: None,
        }
    }

    /// Puts back all of it, so that whoever takes it next has it from its beginning. `room` is held as long as it is.
    pub fn put_back(&mut self, whole: Bytes, room: OwnedSemaphorePermit) {
        self.held = Some(Held { whole, _room: room });
    }

    /// Tells whether all of it has come, also once it has gone elsewhere.
    pub fn end(&self) -> BodyEnd {
        self.ended.clone()
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(held) = &mut self.held
            && !held.whole.is_empty()
        {
            let whole = std::mem::take(&mut held.whole);
            return Poll::Ready(Some(Ok(Frame::data(whole))));
        }
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(None | Some(Err(_))) => self.ended.note(State::Ended),
            _ if self.body.is_end_stream() => self.ended.note(State::Ended),
            Poll::Ready(_) => self.ended.note(State::Untaken),
            Poll::Pending => self.ended.note_awaited(),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let is_taken = self.held.as_ref().is_none_or(|held| held.whole.is_empty());
        is_taken && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.held {
            Some(held) => SizeHint::with_exact(held.whole.len() as u64),
            None => self.body.size_hint(),
        }
    }
}
