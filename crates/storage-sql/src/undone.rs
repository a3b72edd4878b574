use keygate_storage::{Made, SessionOver, StorageError};

/// How a transaction ends that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending<T> {
    /// What was done in it is kept.
    Commit(T),
    /// Nothing of it is kept.
    RollBack(T),
}

impl<T> Ending<T> {
    /// What the transaction was about.
    pub fn into_inner(self) -> T {
        match self {
            Self::Commit(outcome) | Self::RollBack(outcome) => outcome,
        }
    }
}

/// Why nothing is kept of what was done in a transaction.
#[derive(Debug)]
pub(crate) enum Undone {
    /// The session is over that was to make the change.
    SessionOver,
    /// It failed.
    Failed(StorageError),
}

impl From<StorageError> for Undone {
    fn from(error: StorageError) -> Self {
        Self::Failed(error)
    }
}

/// The ending of a transaction in which a change was to be made.
pub(crate) fn ending<T>(outcome: Result<T, Undone>) -> Result<Ending<Made<T>>, StorageError> {
    match outcome {
        Ok(made) => Ok(Ending::Commit(Ok(made))),
        Err(Undone::SessionOver) => Ok(Ending::RollBack(Err(SessionOver))),
        Err(Undone::Failed(error)) => Err(error),
    }
}
