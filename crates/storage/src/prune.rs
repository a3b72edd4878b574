use std::time::Duration;

use async_trait::async_trait;

use crate::{REMEMBER_FORMS, StorageError};

/// How long what is over is still there. A clock that was set does not cost anybody a session.
const KEEP_OVER: Duration = Duration::from_hours(24);
/// After this long without a flush a recorder is gone, and tries none again.
const KEEP_FLUSHES: Duration = Duration::from_hours(7 * 24);

/// Something that is over at some time, and how long it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prunable {
    /// A session.
    Session,
    /// A one-time link to sign up.
    Invitation,
    /// A one-time link to reset a password.
    PasswordReset,
    /// Which key came of a form.
    Form,
    /// Which flush of uses a recorder wrote last.
    Flush,
    /// An entry of the record that is older than this.
    AuditEntry(Duration),
}

impl Prunable {
    /// Those that are kept for a time that is always the same.
    pub const ALL: [Self; 5] = [
        Self::Session,
        Self::Invitation,
        Self::PasswordReset,
        Self::Form,
        Self::Flush,
    ];

    /// For how many milliseconds it is kept after it was over or made.
    pub fn kept_millis(self) -> i64 {
        let kept = match self {
            Self::Session | Self::Invitation | Self::PasswordReset => KEEP_OVER,
            Self::Form => REMEMBER_FORMS,
            Self::Flush => KEEP_FLUSHES,
            Self::AuditEntry(kept) => kept,
        };
        i64::try_from(kept.as_millis()).unwrap_or(i64::MAX)
    }
}

/// What is over is forgotten.
#[async_trait]
pub trait PruneStore: Send + Sync {
    /// Forgets what has been over for long enough by the database's clock, at most so many rows; how many
    /// there were. It waits for nobody who is about the same.
    async fn prune(&self, what: Prunable, limit: u32) -> Result<u64, StorageError>;
}
