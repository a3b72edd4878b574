use std::{
    fs::{File, TryLockError},
    path::Path,
};

use keygate_storage::StorageError;

use crate::files::FileId;

/// Keeps other processes from opening the same database: a `flock` on its file, which is apart
/// from the `fcntl` locks that SQLite takes on it. The operating system lets go of it when the
/// process ends, however it ends.
///
/// It must be dropped after every connection, as closing a file gives up SQLite's locks too.
pub(crate) struct DatabaseLock {
    _file: File,
    id: FileId,
}

impl DatabaseLock {
    pub(crate) fn take(database: &Path) -> Result<Self, StorageError> {
        let cannot = |error: std::io::Error| {
            StorageError::unavailable(format!("{} cannot be locked: {error}", database.display()))
        };
        let file = File::open(database).map_err(cannot)?;
        let id = FileId::of_open(&file).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file, id }),
            Err(TryLockError::WouldBlock) => {
                Err(StorageError::InUse(database.display().to_string()))
            }
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }

    /// The file that is locked.
    pub(crate) fn file(&self) -> FileId {
        self.id
    }
}
