//! What PostgreSQL or the way to it says, by what is to be done about it.

use std::{error::Error as _, iter};

use keygate_storage::StorageError;
use sqlx::{
    Error,
    postgres::{PgDatabaseError, PgSeverity},
};

/// What a driver or the server said.
pub(crate) fn storage_error(error: Error) -> StorageError {
    match &error {
        Error::Database(answer) => match answer.try_downcast_ref::<PgDatabaseError>() {
            Some(answer) => of_server(answer.code())(error),
            None => StorageError::internal(error),
        },
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::WorkerCrashed => {
            StorageError::unavailable(error)
        }
        Error::PoolTimedOut => StorageError::unavailable("all connections are busy"),
        Error::PoolClosed => StorageError::Closed,
        // What the program asks for or reads is not what is there; and an address that is none.
        _ => StorageError::internal(error),
    }
}

/// What is to be done about an error of the server, by the class of its SQLSTATE: appendix A of
/// PostgreSQL's documentation.
fn of_server(sqlstate: &str) -> fn(Error) -> StorageError {
    match sqlstate {
        // Serialization failure and deadlock: the server chose one of several to give way.
        "40001" | "40P01" => |error| StorageError::Conflict(error.into()),
        "53300" => |error| StorageError::unavailable(NoConnectionLeft(error)),
        // A table or an index that can't be what the server wrote.
        "XX001" | "XX002" => |error| StorageError::damaged(error),
        // A standby, as the server that was written to is after a fail-over.
        "25006"
        // Locked by others for too long.
        | "55P03" | "55006" => StorageError::unavailable,
        _ => match sqlstate.get(..2) {
            // The connection, who may have one, which database; resources such as the disk's;
            // what operators and timeouts do; input and output.
            Some("08" | "28" | "3D" | "40" | "53" | "57" | "58") => StorageError::unavailable,
            _ => StorageError::internal,
        },
    }
}

/// Whether a connection can be used again that this was said on: it was said by the server, which
/// then waits for the next statement, or by nobody but this program.
pub(crate) fn leaves_connection_usable(error: &StorageError) -> bool {
    match driver_error(error) {
        Some(Error::Database(answer)) => answer
            .try_downcast_ref::<PgDatabaseError>()
            .is_some_and(|answer| !ends_session(answer) && !is_another_session(answer)),
        Some(
            Error::RowNotFound
            | Error::TypeNotFound { .. }
            | Error::ColumnNotFound(_)
            | Error::ColumnIndexOutOfBounds { .. }
            | Error::ColumnDecode { .. }
            | Error::Decode(_)
            | Error::Encode(_),
        ) => true,
        Some(_) => false,
        None => !matches!(
            error,
            StorageError::Unavailable(_) | StorageError::Uncertain(_) | StorageError::Closed
        ),
    }
}

/// Whether a transaction that ended like this was not made, and may be when it is tried again: it
/// gave way to another one, or its session was not the one that this program knows.
pub(crate) fn is_worth_repeating(error: &StorageError) -> bool {
    match error {
        StorageError::Conflict(_) => true,
        StorageError::Uncertain(_) => false,
        error => driver_error(error)
            .and_then(Error::as_database_error)
            .and_then(|answer| answer.try_downcast_ref::<PgDatabaseError>())
            .is_some_and(is_another_session),
    }
}

fn driver_error(error: &StorageError) -> Option<&Error> {
    let mut causes = iter::successors(error.source(), |&cause| cause.source());
    causes.find_map(|cause| cause.downcast_ref())
}

fn ends_session(answer: &PgDatabaseError) -> bool {
    matches!(answer.severity(), PgSeverity::Fatal | PgSeverity::Panic)
}

/// Whether a session is not the one that this program prepared: it is on a server that has become a
/// standby, behind a pooler that shares sessions, or from before the schema changed.
fn is_another_session(answer: &PgDatabaseError) -> bool {
    match answer.code() {
        "25006" | "42P05" | "0A000" => true,
        code => code.starts_with("08") || code.starts_with("26") || code.starts_with("57P"),
    }
}

/// All of a server's connections are taken, or all that its role may have.
#[derive(Debug, thiserror::Error)]
#[error(
    "the server has no connection left for this node: raise its max_connections or the role's \
     CONNECTION LIMIT, or lower storage.pool_size of the nodes ({0})"
)]
struct NoConnectionLeft(#[source] Error);
