use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Bytes;
use http_body::{Body, Frame, SizeHint};

/// How much of a page is compressed and sent before others have their turn.
const PIECE: usize = 16 * 1024;

/// A long body, in pieces, so that whoever compresses it does not keep an async thread for all of it.
pub(super) struct Pieces {
    rest: Bytes,
    is_others_turn: bool,
}

impl Pieces {
    pub(super) fn of(whole: impl Into<Bytes>) -> Self {
        Self {
            rest: whole.into(),
            is_others_turn: false,
        }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        if std::mem::replace(&mut self.is_others_turn, false) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.is_others_turn = true;
        let length = PIECE.min(self.rest.len());
        let piece = self.rest.split_to(length);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_long_body_is_whole_and_lets_others_have_their_turn() {
        let whole: Vec<u8> = (0..5 * PIECE + 7)
            .map(|number| number.to_le_bytes()[0])
            .collect();
        let body = Pieces::of(whole.clone());
        assert_eq!(body.size_hint().exact(), Some(whole.len() as u64));
        let mut collected = Box::pin(body.collect());
        let turns = std::iter::from_fn(|| match (&mut collected).now_or_never() {
            None => Some(None),
            Some(body) => Some(Some(body.expect("infallible").to_bytes())),
        });
        let mut waited = 0;
        let collected = turns.inspect(|turn| waited += usize::from(turn.is_none()));
        let collected = collected.flatten().next();
        assert_eq!(collected.expect("its end"), whole);
        assert_eq!(waited, 5);
    }
}
