//! Where the data is, and how it is reached.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use keygate_storage_postgres::PostgresOptions;

use super::{
    file,
    resolve::{duration, invalid},
};
use crate::failure::Failure;

const DEFAULT_FILE: &str = "keygate.db";
const DEFAULT_MAX_STALE: Duration = Duration::from_mins(10);
/// So that a change that waits for its database keeps no look-up from it.
const MIN_POOL_SIZE: u32 = 2;

const MIN_LEASE: Duration = Duration::from_millis(100);

/// Where the data is.
#[derive(Clone)]
pub(crate) enum Database {
    /// A file, which one process has open.
    Sqlite(PathBuf),
    /// A server, which several share.
    Postgres(PostgresOptions),
}

impl Database {
    /// What stands in the file's `[storage]`, or in the flag in its place.
    pub(super) fn resolve(
        flag: Option<&str>,
        storage: &file::Storage,
        data: &Path,
    ) -> Result<Self, Failure> {
        let place = flag.or(storage.database.as_deref()).unwrap_or(DEFAULT_FILE);
        Self::read(place, storage, data)
    }

    /// The database at a place, with the defaults for how it is used. A file is one in `folder`.
    pub(crate) fn at(place: &str, folder: &Path) -> Result<Self, Failure> {
        Self::read(place, &file::Storage::default(), folder)
    }

    fn read(place: &str, storage: &file::Storage, folder: &Path) -> Result<Self, Failure> {
        if !place.starts_with("postgres://") && !place.starts_with("postgresql://") {
            if place.contains("://") {
                return Err(not_a_database());
            }
            // What it says of a server is checked all the same: one day it is used.
            with_storage(PostgresOptions::new(""), storage)?;
            let path = place.strip_prefix("sqlite:").unwrap_or(place);
            return Ok(Self::Sqlite(folder.join(path)));
        }
        let options = PostgresOptions::new(place);
        if !options.is_valid() {
            return Err(not_a_database());
        }
        with_storage(options, storage).map(Self::Postgres)
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
        "The database (storage.database, --database, --from, --to) must be a file, or like postgres://user:password@host:5432/keygate?sslmode=verify-full, and what is given is not that.",
    )
}

/// The options, as `[storage]` has them in place of their defaults.
fn with_storage(
    default: PostgresOptions,
    storage: &file::Storage,
) -> Result<PostgresOptions, Failure> {
    let time = |name, text: &Option<String>, default| {
        duration(&format!("storage.{name}"), text.as_deref(), default)
    };
    let pool_size = storage.pool_size.unwrap_or(default.pool_size);
    if pool_size < MIN_POOL_SIZE {
        let rule = "must be 2 or more: a change may have to wait on one, and keys are looked up on another";
        return Err(invalid("storage.pool_size", pool_size, rule));
    }
    let timeout = |name, text, default| {
        let time = time(name, text, default)?;
        let rule = "must be between 1ms and 1h";
        if (Duration::from_millis(1)..=Duration::from_hours(1)).contains(&time) {
            Ok(time)
        } else {
            let time = humantime::format_duration(time);
            Err(invalid(&format!("storage.{name}"), time, rule))
        }
    };
    let lease = timeout("lease", &storage.lease, default.lease)?;
    if lease < MIN_LEASE {
        let rule = "must be 100ms or more";
        return Err(invalid(
            "storage.lease",
            humantime::format_duration(lease),
            rule,
        ));
    }
    let max_stale = time("max_stale", &storage.max_stale, DEFAULT_MAX_STALE)?;
    Ok(PostgresOptions {
        pool_size,
        statement_timeout: timeout(
            "statement_timeout",
            &storage.statement_timeout,
            default.statement_timeout,
        )?,
        lock_timeout: timeout("lock_timeout", &storage.lock_timeout, default.lock_timeout)?,
        lease,
        max_stale: match storage.on_storage_loss.as_deref() {
            None | Some("refuse") => Duration::ZERO,
            Some("serve-cached") => max_stale,
            Some(other) => {
                let rule = "must be refuse or serve-cached";
                return Err(invalid("storage.on_storage_loss", other, rule));
            }
        },
        ..default
    })
}
