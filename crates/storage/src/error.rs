use std::{borrow::Cow, error::Error, fmt, ops::Deref, sync::Arc};

use keygate_core::Problem;

/// Why a backend could not do what it was asked. The text is for the operator, not for clients.
///
/// The variants are told apart by what is to be done about them: what is unavailable may be tried
/// again, a conflict has been already, and what is internal fails however often it is tried.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    /// The database cannot be reached, takes too long, or has no room. Trying again may help.
    #[error("the database is unavailable: {0}")]
    Unavailable(#[source] Cause),
    /// A change was sent to the database, and no answer came: it may have been made, or may yet be.
    #[error("the database did not say whether a change was made: {0}")]
    Uncertain(#[source] Cause),
    /// Others changed the same at the same time, again and again. Nothing was changed.
    #[error("the database could not make the change because of others at the same time: {0}")]
    Conflict(#[source] Cause),
    /// The database answered what it never should: a fault of this program, or of who changed the
    /// database by hand. Trying again does not help.
    #[error("the database rejected a statement: {0}")]
    Internal(#[source] Cause),
    /// Another process has the database open.
    #[error("{0} is in use by another process")]
    InUse(String),
    /// The database was written by a later version of keygate.
    #[error(
        "the database has schema version {found}, and this keygate supports versions up to {known}"
    )]
    Newer {
        /// The database's schema version.
        found: i64,
        /// The latest schema version that this program knows.
        known: i64,
    },
    /// The file was replaced, and the log beside it belongs to the one that was there before.
    #[error("{0} is not the file that {0}-wal belongs to: together they would be corrupt")]
    Mixed(String),
    /// The file is a database of some other program, or none at all.
    #[error("{0} is not a keygate database")]
    Foreign(String),
    /// It is there, and could not be served from: it would not keep what it is told to, or this user may
    /// not do with it what that takes.
    #[error("the database cannot be used: {0}")]
    Unsuitable(Cow<'static, str>),
    /// A backup was to take the place of what it must not.
    #[error("no backup can be written there: {0}")]
    Occupied(String),
    /// Something other than the database has written to its files.
    #[error("the database is damaged and has to be restored from a backup: {0}")]
    Damaged(#[source] Cause),
    /// A row holds what this program never writes.
    #[error("the database holds an invalid {0}")]
    Corrupt(&'static str),
    /// The backend is closed.
    #[error("the database is closed")]
    Closed,
}

impl StorageError {
    /// [`Self::Unavailable`], because of this.
    pub fn unavailable(cause: impl Into<Cause>) -> Self {
        Self::Unavailable(cause.into())
    }

    /// [`Self::Unsuitable`], because of this.
    pub fn unsuitable(why: impl Into<Cow<'static, str>>) -> Self {
        Self::Unsuitable(why.into())
    }

    /// [`Self::Damaged`], as this shows.
    pub fn damaged(cause: impl Into<Cause>) -> Self {
        Self::Damaged(cause.into())
    }

    /// [`Self::Internal`], because of this.
    pub fn internal(cause: impl Into<Cause>) -> Self {
        Self::Internal(cause.into())
    }

    /// Whether what was asked may succeed if it is asked again.
    pub const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::Uncertain(_) | Self::Conflict(_)
        )
    }

    /// Whether it is a fault of this program or of the database's contents, which trying again does
    /// not mend.
    pub const fn is_internal(&self) -> bool {
        matches!(self, Self::Internal(_) | Self::Corrupt(_))
    }
}

impl From<&StorageError> for Problem {
    fn from(error: &StorageError) -> Self {
        match error {
            error if error.is_internal() => Self::internal(error),
            StorageError::Uncertain(_) => Self::storage_uncertain(error),
            error => Self::storage_unavailable(error),
        }
    }
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        Self::from(&error)
    }
}

/// What a driver said, or a text that says what is wrong. It is shared, for several may be told of it.
#[derive(Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

// As it stands for any error, it cannot be one itself; `thiserror` finds the one behind it.
impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Cause {
    fn from(cause: E) -> Self {
        Self(cause.into().into())
    }
}

impl Deref for Cause {
    type Target = dyn Error + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use keygate_core::Code;

    use super::*;

    #[test]
    fn what_a_driver_said_is_kept() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let error = StorageError::unavailable(refused).clone();
        let source = error.source().and_then(|source| source.downcast_ref());
        let kind = source.map(io::Error::kind);
        assert_eq!(kind, Some(io::ErrorKind::ConnectionRefused));
        assert!(error.to_string().ends_with(": connection refused"));
    }

    #[test]
    fn only_what_is_the_databases_is_said_to_be() {
        let cases = [
            (StorageError::unavailable("away"), Code::StorageUnavailable),
            (
                StorageError::Uncertain("away".into()),
                Code::StorageUnavailable,
            ),
            (
                StorageError::Conflict("deadlock".into()),
                Code::StorageUnavailable,
            ),
            (StorageError::Closed, Code::StorageUnavailable),
            (StorageError::damaged("page 7"), Code::StorageUnavailable),
            (StorageError::internal("syntax"), Code::InternalError),
            (StorageError::Corrupt("role"), Code::InternalError),
        ];
        for (error, code) in cases {
            let problem = Problem::from(&error);
            assert_eq!(problem.code, code, "{error}");
            assert_eq!(problem.cause.as_deref(), Some(&*error.to_string()));
        }
    }
}
