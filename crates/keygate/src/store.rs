//! Opening the database that is configured.

use std::{os::unix::fs::MetadataExt, sync::Arc};

use keygate_core::SystemClock;
use keygate_storage::{StorageError, Store};

use crate::config::Database;

pub(crate) use keygate_storage_sqlite::Opener;

/// Opens the database; makes it where there is none.
pub(crate) async fn open(
    database: &Database,
    opener: Opener,
) -> Result<Arc<dyn Store>, StorageError> {
    Ok(match database {
        Database::Sqlite(path) => Arc::new(keygate_storage_sqlite::open_for(opener, path)?),
        Database::Postgres(options) => {
            Arc::new(keygate_storage_postgres::open(options, Arc::new(SystemClock)).await?)
        }
    })
}

/// By what a database is the same under whatever name. None, where it is not there.
pub(crate) async fn identity(database: &Database) -> Result<Option<String>, StorageError> {
    Ok(match database {
        Database::Sqlite(path) => path
            .metadata()
            .ok()
            .map(|file| format!("file {}:{}", file.dev(), file.ino())),
        Database::Postgres(options) => Some(keygate_storage_postgres::identity(options).await?),
    })
}
