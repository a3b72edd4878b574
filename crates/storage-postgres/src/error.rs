use keygate_storage::StorageError;

/// What PostgreSQL or the way to it said, for the log.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(crate) fn unavailable(error: sqlx::Error) -> StorageError {
    StorageError::Unavailable(error.to_string())
}
