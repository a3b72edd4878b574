use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Either, Full};
use hyper::body::Incoming;

use crate::{forward::Progress, streams::OpenStream};

/// What the gateway answers with: its own words, or the upstream's as they come.
pub type ResponseBody = Either<Full<Bytes>, Streamed>;

/// An answer's body on its way to the client, which counts as open until it is dropped.
pub struct Streamed {
    pub(crate) upstream: Incoming,
    pub(crate) _open: OpenStream,
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match ready!(Pin::new(&mut self.upstream).poll_frame(context)) {
            // An upstream could say in them what it may not say in its head.
            Some(Ok(frame)) if frame.is_trailers() => Poll::Ready(None),
            frame => Poll::Ready(frame),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.upstream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.upstream.size_hint()
    }
}

/// A request's body on its way to the upstream: passed on as it comes, each piece noted.
pub(crate) struct RequestBody {
    pub(crate) client: Incoming,
    pub(crate) progress: Arc<Progress>,
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.client).poll_frame(context);
        match &frame {
            Poll::Ready(Some(Err(_))) => self.progress.note_client_failure(),
            Poll::Ready(_) => self.progress.note(),
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.client.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.client.size_hint()
    }
}
