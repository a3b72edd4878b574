use std::fmt;

use keygate_core::{Code, Problem};
use keygate_storage::StorageError;

/// Why a command failed, in one line for whoever ran it: what happened and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Nothing where there is nobody to tell.
    message: Option<String>,
    exit_code: u8,
    may_pass: bool,
}

/// What a shell reports of a program that SIGPIPE has ended.
const BROKEN_PIPE: u8 = 128 + 13;

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: Some(message.into()),
            exit_code: 1,
            may_pass: false,
        }
    }

    /// Whether the database was away, and what failed may succeed if it is tried again.
    pub(crate) const fn may_pass(&self) -> bool {
        self.may_pass
    }

    /// Standard output cannot be written to. Where it is a pipe that nobody reads any more, whoever closed
    /// it has read enough, and need not be told.
    pub(crate) fn of_output(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self {
                message: None,
                exit_code: BROKEN_PIPE,
                may_pass: false,
            };
        }
        Self::new(format!(
            "The result cannot be written to standard output ({error}). What was asked for has been done."
        ))
    }

    pub(crate) fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    pub(crate) fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message().unwrap_or("nobody reads the result"))
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let Problem {
            code,
            message,
            cause,
            ..
        } = problem;
        Self {
            may_pass: code == Code::StorageUnavailable,
            ..Self::new(match cause {
                Some(cause) => format!("{message} ({cause})"),
                None => message.into_owned(),
            })
        }
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        let advice = match &error {
            StorageError::InUse(_) => {
                "Stop the other keygate, or choose another folder with --data."
            }
            StorageError::Newer { .. } => {
                "Run the keygate that wrote it, or a later one. Nothing was changed."
            }
            StorageError::Foreign(_) => {
                "Choose another with [storage] database or --database, or another folder with --data. Nothing was changed."
            }
            StorageError::Unavailable(_) | StorageError::Conflict(_) | StorageError::Closed => {
                "Check that the database's disk is not full; that a file's folder can be written to; that a server runs, and that its address, user and password are right."
            }
            StorageError::Unsuitable(_) | StorageError::Occupied(_) => "Nothing was changed.",
            StorageError::Uncertain(_) => "Check whether it was made before you try again.",
            StorageError::Internal(_) => {
                "Trying again will not help. If somebody changed the database by hand, undo that; otherwise report this."
            }
            StorageError::Mixed(_) => {
                "Nothing was changed. If a backup was copied there, copy it elsewhere and run keygate restore on that, which moves the old log away. If not, put back the file that was there."
            }
            StorageError::Corrupt(_) => "Restore the database from a backup.",
            StorageError::Damaged(_) => {
                "Check the disk, and restore the newest backup (keygate restore FILE, or the tools of the database server). Nothing was changed."
            }
        };
        Self {
            may_pass: error.may_pass(),
            ..Self::new(format!("{error}. {advice}"))
        }
    }
}
