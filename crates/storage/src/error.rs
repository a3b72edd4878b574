/// Why a backend could not do what it was asked. The text is for the operator, not for clients.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    /// The database does not answer, or answered with an error; trying again may help.
    #[error("the database failed: {0}")]
    Unavailable(String),
    /// Another process has the database open.
    #[error("{0} is in use by another process")]
    InUse(String),
    /// The database was written by a later version of keygate.
    #[error(
        "the database has schema version {found}, and this keygate knows versions up to {known}"
    )]
    Newer {
        /// The database's schema version.
        found: i64,
        /// The latest schema version that this program knows.
        known: i64,
    },
    /// The file is a database of some other program, or none at all.
    #[error("{0} is not a keygate database")]
    Foreign(String),
    /// A row holds what this program never writes.
    #[error("the database holds an invalid {0}")]
    Corrupt(&'static str),
    /// The session that was to make a change is over. Nothing was changed.
    #[error("the session is over")]
    SessionOver,
    /// The backend is closed.
    #[error("the database is closed")]
    Closed,
}
