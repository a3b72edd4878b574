//! Whether the files of an open database are still where they were.

use std::{
    ffi::OsString,
    fs::{File, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use keygate_storage::StorageError;

/// What the file system knows a file by, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(crate) fn of_open(file: &File) -> std::io::Result<Self> {
        file.metadata().map(|metadata| Self::new(&metadata))
    }

    fn new(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// The files in which an open database keeps what it acknowledges.
///
/// A file that was removed or moved away can still be written to, and nobody would find there what
/// was acknowledged. So each commit asks whether the paths still lead to the open files.
pub(crate) struct DatabaseFiles([(PathBuf, FileId); 3]);

impl DatabaseFiles {
    /// The database that is open as `id`, and the files that SQLite has made beside it.
    pub(crate) fn of_open(database: &Path, id: FileId) -> Result<Self, StorageError> {
        let made = |suffix| {
            let path = beside(database, suffix);
            let found = path.metadata();
            let found = found.map_err(|error| gone(&path, &error.to_string()))?;
            Ok((path, FileId::new(&found)))
        };
        Ok(Self([
            (database.to_owned(), id),
            made("-wal")?,
            made("-shm")?,
        ]))
    }

    /// Refuses where a path leads to no file any more, or to another one. What the file system says of the
    /// database.
    pub(crate) fn check(&self) -> Result<Metadata, StorageError> {
        let [database, beside @ ..] = &self.0;
        let found = same(&database.0, database.1)?;
        for (path, id) in beside {
            same(path, *id)?;
        }
        Ok(found)
    }
}

/// What the file system says of the file at `path`. Refuses where that is no longer the one that is open as
/// `id`.
pub(crate) fn same(path: &Path, id: FileId) -> Result<Metadata, StorageError> {
    match path.metadata() {
        Ok(found) if FileId::new(&found) == id => Ok(found),
        Ok(_) => Err(gone(path, "another file is in its place")),
        Err(error) => Err(gone(path, &error.to_string())),
    }
}

/// The file that SQLite keeps beside a database.
pub(crate) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(database);
    path.push(suffix);
    path.into()
}

/// Where a file lies.
pub(crate) fn folder_of(path: &Path) -> &Path {
    let folder = path.parent();
    folder
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// So that what was renamed is found under its new name after a loss of power.
pub(crate) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

pub(crate) fn gone(path: &Path, why: &str) -> StorageError {
    StorageError::unavailable(format!(
        "{} was removed, moved or replaced while it was in use ({why}): put it back, or restart keygate",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_moved_and_replaced_files_are_noticed_and_so_is_their_return() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let database = folder.path().join("keygate.db");
        for suffix in ["", "-wal", "-shm"] {
            std::fs::write(beside(&database, suffix), "x").expect("written");
        }
        let open = File::open(&database).expect("it opens");
        let id = FileId::of_open(&open).expect("it is there");
        let files = DatabaseFiles::of_open(&database, id).expect("all are there");
        files.check().expect("nothing has changed");
        let away = folder.path().join("away");
        for suffix in ["", "-wal", "-shm"] {
            let path = beside(&database, suffix);
            std::fs::rename(&path, &away).expect("moved");
            let refused = files.check().expect_err("it is gone").to_string();
            assert!(refused.contains(&*path.to_string_lossy()), "{refused}");
            std::fs::copy(&away, &path).expect("copied");
            let refused = files.check().expect_err("it is another").to_string();
            assert!(refused.contains("another file"), "{refused}");
            std::fs::rename(&away, &path).expect("moved back");
            files.check().expect("it is the same again");
        }
    }
}
