use std::{
    fs::{File, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use keygate_storage::StorageError;

/// Keeps other processes from opening the same database. The operating system lets go of it when
/// the process ends, however it ends.
pub(crate) struct DatabaseLock {
    _file: File,
}

impl DatabaseLock {
    pub(crate) fn take(database: &Path) -> Result<Self, StorageError> {
        let path = lock_path(database);
        let cannot = |error: std::io::Error| {
            StorageError::Unavailable(format!("cannot lock {}: {error}", path.display()))
        };
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                Err(StorageError::InUse(database.display().to_string()))
            }
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }
}

fn lock_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
