use keygate_core::{Code, Problem};

/// What became of a change: it is as `T` says, or refused because the session that was to make it has ended.
pub type Made<T> = Result<T, SessionOver>;

/// The session that was to make a change is over. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionOver;

impl From<SessionOver> for Problem {
    fn from(_: SessionOver) -> Self {
        Self::new(
            Code::SessionExpired,
            "The session has ended. Sign in again.",
        )
    }
}
