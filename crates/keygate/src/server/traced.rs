use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use keygate_traces::RequestSpan;

/// The body of an answer. The request's span ends with it, as the request does.
pub(super) struct Traced<B> {
    body: B,
    _span: Option<RequestSpan>,
}

impl<B> Traced<B> {
    pub(super) fn new(body: B, span: Option<RequestSpan>) -> Self {
        Self { body, _span: span }
    }
}

impl<B: Body + Unpin> Body for Traced<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
