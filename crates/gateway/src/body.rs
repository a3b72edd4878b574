use std::{
    error::Error,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Either, Full};
use hyper::body::Incoming;

use crate::{
    connection::{Connection, give_back},
    headers,
    pool::{Pool, Pooled},
    progress::Progress,
    streams::OpenStream,
};

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// The body of a response: keygate's own, or the upstream's as it arrives.
pub type ResponseBody = Either<Full<Bytes>, Streamed>;

/// An answer's body on its way to the client, which counts as open until it is dropped.
pub struct Streamed {
    pub(crate) exchange: Exchanged,
    pub(crate) _open: OpenStream,
}

/// The rest of an exchange with an upstream. Dropping it before its end aborts the request at the upstream.
pub(crate) struct Exchanged {
    /// The part of the body that was read already.
    pub(crate) beginning: Bytes,
    pub(crate) body: Incoming,
    /// Why it was interrupted, until that is reported.
    pub(crate) failure: Option<BoxError>,
    /// Until the answer is over.
    pub(crate) connection: Option<Pooled<Connection>>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) pool: Arc<Pool<Connection>>,
    /// How long the upstream says that it keeps the connection.
    pub(crate) announced: Option<Duration>,
    /// Whether the connection can take another request afterwards.
    pub(crate) is_reusable: bool,
    /// Whether it comes over HTTP/2. What follows the body, as gRPC's status does, then passes.
    pub(crate) is_http2: bool,
}

impl Exchanged {
    fn finish_if_over(&mut self) {
        if !self.body.is_end_stream() {
            return;
        }
        let Some(connection) = self.connection.take() else {
            return;
        };
        // An upstream that has answered before it had all of the request does not need the rest.
        if self.is_reusable && self.progress.is_all_sent() {
            give_back(connection, self.pool.clone(), self.announced);
        }
    }

    /// What is wrong with a body that has come to its end. Over HTTP/2 one that was reset without an error has no more
    /// frames, and was not sent whole (RFC 9113 section 8.1).
    fn broken_off(&self) -> Option<BoxError> {
        let is_reset = self.is_http2 && !self.body.is_end_stream();
        is_reset.then(|| "the answer broke off".into())
    }

    /// What passes of a frame.
    fn passing(&self, frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
        match frame.into_trailers() {
            // An upstream may say in them no more than in its head.
            Ok(mut trailers) => {
                headers::trailers_for_client(&mut trailers);
                self.is_http2.then(|| Frame::trailers(trailers))
            }
            Err(data) => Some(data),
        }
    }
}

impl Drop for Exchanged {
    fn drop(&mut self) {
        self.finish_if_over();
    }
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let exchange = &mut self.exchange;
        if !exchange.beginning.is_empty() {
            let beginning = std::mem::take(&mut exchange.beginning);
            return Poll::Ready(Some(Ok(Frame::data(beginning))));
        }
        if let Some(failure) = exchange.failure.take() {
            return Poll::Ready(Some(Err(failure)));
        }
        let frame = ready!(Pin::new(&mut exchange.body).poll_frame(context));
        exchange.finish_if_over();
        let frame = frame.map(|frame| frame.map_err(BoxError::from));
        match frame.or_else(|| exchange.broken_off().map(Err)) {
            // The HTTP library would forget what it has not sent yet, the answer's head included.
            Some(Err(failure)) => {
                exchange.failure = Some(failure);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Ok(frame)) => Poll::Ready(exchange.passing(frame).map(Ok)),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.exchange.beginning.is_empty() && self.exchange.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.exchange.beginning.len() as u64;
        let rest = self.exchange.body.size_hint();
        let mut whole = SizeHint::new();
        whole.set_lower(rest.lower() + read);
        if let Some(upper) = rest.upper() {
            whole.set_upper(upper + read);
        }
        whole
    }
}
