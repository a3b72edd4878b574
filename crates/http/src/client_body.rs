use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use hyper::body::{Bytes, Incoming};

/// The body of a request as it comes from the client.
pub struct ClientBody {
    body: Incoming,
    ended: BodyEnd,
}

/// How far a body is that somebody takes. Clones tell of the same one.
#[derive(Debug, Clone, Default)]
pub struct BodyEnd(Arc<AtomicU8>);

/// There may be something that was not taken yet.
const UNTAKEN: u8 = 0;
/// Whoever takes it waits for more.
const AWAITED: u8 = 1;
/// Nothing more of it is to come.
const ENDED: u8 = 2;

impl BodyEnd {
    /// Whether nothing more of it is to come.
    pub fn has_come(&self) -> bool {
        self.0.load(Ordering::Relaxed) == ENDED
    }

    /// Whether more of it is waited for.
    pub fn is_awaited(&self) -> bool {
        self.0.load(Ordering::Relaxed) == AWAITED
    }

    fn note(&self, state: u8) {
        self.0.store(state, Ordering::Relaxed);
    }
}

impl ClientBody {
    /// The body, of which [`ClientBody::end`] tells how far it has come.
    pub fn new(body: Incoming) -> Self {
        let ended = BodyEnd::default();
        if body.is_end_stream() {
            ended.note(ENDED);
        }
        Self { body, ended }
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
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.ended.note(match &polled {
            Poll::Ready(None | Some(Err(_))) => ENDED,
            _ if self.body.is_end_stream() => ENDED,
            Poll::Ready(_) => UNTAKEN,
            Poll::Pending => AWAITED,
        });
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
