//! Where the data is, and how it is reached.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use keygate_storage_postgres::PostgresOptions;

use super::{
    sections::Storage,
    source::{Section, Source},
    types::OnStorageLoss,
};
use crate::failure::Failure;

/// Where the data is.
#[derive(Clone)]
pub(crate) enum Database {
    /// A file, which one process has open.
    Sqlite(PathBuf),
    /// A server, which several share.
    Postgres(PostgresOptions),
}

impl Database {
    /// What `[storage]` says. A file is one in `folder`.
    pub(super) fn resolve(storage: &Storage, folder: &Path) -> Result<Self, Failure> {
        Self::read(&storage.database.value, storage, folder)
    }

    /// The database at a place, with the defaults for how it is used. A file is one in `folder`.
    pub(crate) fn at(place: &str, folder: &Path) -> Result<Self, Failure> {
        let defaults = Storage::read(Source::new(&[]))?;
        Self::read(place, &defaults, folder)
    }

    fn read(place: &str, storage: &Storage, folder: &Path) -> Result<Self, Failure> {
        if !place.starts_with("postgres://") && !place.starts_with("postgresql://") {
            if place.contains("://") {
                return Err(not_a_database());
            }
            let path = place.strip_prefix("sqlite:").unwrap_or(place);
            return Ok(Self::Sqlite(folder.join(path)));
        }
        let options = PostgresOptions {
            url: place.to_owned(),
            pool_size: storage.pool_size.0,
            statement_timeout: storage.statement_timeout.0,
            lock_timeout: storage.lock_timeout.0,
            lease: storage.lease.0,
            max_stale: match storage.on_storage_loss {
                OnStorageLoss::Refuse => Duration::ZERO,
                OnStorageLoss::ServeCached => storage.max_stale,
            },
        };
        if options.is_valid() {
            Ok(Self::Postgres(options))
        } else {
            Err(not_a_database())
        }
    }
}

impl fmt::Display for Database {
    /// Names it without what is secret about it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(options) => f.write_str(&options.name()),
        }
    }
}

/// Says nothing of what was given: there may be a password in it.
fn not_a_database() -> Failure {
    Failure::new(
        "The database (storage.database, --database, --from, --to) must be a file, or a URL like postgres://user:password@host:5432/keygate?sslmode=verify-full.",
    )
}
