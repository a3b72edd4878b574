//! What PostgreSQL or the way to it says, by what is to be done about it.

use keygate_storage::StorageError;
use sqlx::{Error, postgres::PgDatabaseError};

/// What a driver or the server said.
pub(crate) fn unavailable(error: Error) -> StorageError {
    match &error {
        Error::Database(answer) => match answer.try_downcast_ref::<PgDatabaseError>() {
            Some(answer) => of_server(answer.code())(error),
            None => StorageError::internal(error),
        },
        Error::Io(_)
        | Error::Tls(_)
        | Error::Protocol(_)
        | Error::PoolTimedOut
        | Error::WorkerCrashed => StorageError::unavailable(error),
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
        "XX001" | "XX002" => |error| StorageError::unavailable(Damaged(error)),
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

/// All of a server's connections are taken, or all that its role may have.
#[derive(Debug, thiserror::Error)]
#[error(
    "the server has no connection left for this node: raise its max_connections or the role's \
     CONNECTION LIMIT, or lower storage.pool_size of the nodes ({0})"
)]
struct NoConnectionLeft(#[source] Error);

/// The server found in its files what it did not write.
#[derive(Debug, thiserror::Error)]
#[error("the server's files are damaged and must be restored from a backup: {0}")]
struct Damaged(#[source] Error);
