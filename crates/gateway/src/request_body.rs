use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use keygate_http::ClientBody;

use crate::progress::Progress;

/// A request's body on its way to the upstream: passed on as it comes, and noted how far it is.
pub(crate) struct RequestBody {
    pub(crate) client: Option<ClientBody>,
    pub(crate) progress: Arc<Progress>,
}

impl RequestBody {
    /// That of a request without content.
    pub(crate) fn none(progress: Arc<Progress>) -> Self {
        Self {
            client: None,
            progress,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(client) = &mut self.client else {
            return Poll::Ready(None);
        };
        let mut frame = Pin::new(&mut *client).poll_frame(context);
        // A client could say in them what it may not say in its head.
        if matches!(&frame, Poll::Ready(Some(Ok(frame))) if frame.is_trailers()) {
            frame = Poll::Ready(None);
        }
        let is_over = client.is_end_stream();
        match &frame {
            Poll::Pending => self.progress.wait_for_client(),
            Poll::Ready(Some(Err(_))) => self.progress.note_client_failure(),
            Poll::Ready(None) => self.progress.note_all_sent(),
            Poll::Ready(Some(Ok(_))) if is_over => self.progress.note_all_sent(),
            Poll::Ready(Some(Ok(_))) => self.progress.wait_for_upstream(),
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.client.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let client = self.client.as_ref();
        client.map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}
