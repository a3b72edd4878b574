//! Where a copy of a database is made before it is put in its place.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use tempfile::{Builder, NamedTempFile, TempDir};

const PREFIX: &str = ".keygate-backup-";
/// What the process holds that uses a workspace. It is not one of SQLite's files: on network file systems
/// its locks would keep SQLite from them.
const LOCK: &str = "lock";

/// A file of this user's alone, in a folder of its own beside the place where it is to go. It goes where
/// anything fails, and if the process is killed, with the next one that is made there.
pub(crate) struct Workspace {
    pub(crate) file: NamedTempFile,
    // Dropped in this order: it is locked until it is gone.
    folder: TempDir,
    _lock: File,
}

impl Workspace {
    pub(crate) fn within(folder: &Path) -> io::Result<Self> {
        remove_abandoned(folder);
        loop {
            let folder = Builder::new().prefix(PREFIX).tempdir_in(folder)?;
            match Self::begin(folder) {
                // Before it was locked, somebody else took it for abandoned.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                begun => return begun,
            }
        }
    }

    fn begin(folder: TempDir) -> io::Result<Self> {
        let path = folder.path().join(LOCK);
        let lock = File::create(&path)?;
        // Where there are no locks, nothing is taken for abandoned.
        let _ = lock.lock();
        path.metadata()?;
        Ok(Self {
            file: NamedTempFile::new_in(folder.path())?,
            folder,
            _lock: lock,
        })
    }

    /// Puts the file in its place; in that of another file only if it may be replaced.
    pub(crate) fn persist(self, place: &Path, may_replace: bool) -> io::Result<()> {
        let placed = if may_replace {
            self.file.persist(place)
        } else {
            self.file.persist_noclobber(place)
        };
        placed.map_err(|error| error.error)?;
        drop(self.folder);
        Ok(())
    }
}

/// Removes what processes have left behind that were killed. What cannot be removed is in nobody's way.
fn remove_abandoned(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            let _ = remove_if_abandoned(&entry.path());
        }
    }
}

fn remove_if_abandoned(folder: &Path) -> io::Result<()> {
    match File::options().write(true).open(folder.join(LOCK)) {
        Ok(lock) => {
            // Held until it is gone.
            lock.try_lock()?;
            fs::remove_dir_all(folder)
        }
        // Only if it is empty.
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::remove_dir(folder),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_is_kept_and_what_is_abandoned_goes() {
        let folder = TempDir::new().expect("a temporary folder");
        let count = || fs::read_dir(folder.path()).expect("a folder").count();
        let used = Workspace::within(folder.path()).expect("there is room");
        let mut abandoned = Workspace::within(folder.path()).expect("there is room");
        // As if its process had been killed.
        abandoned.folder.disable_cleanup(true);
        abandoned.file.disable_cleanup(true);
        drop(abandoned);
        fs::create_dir(folder.path().join(".keygate-backup-begun")).expect("there is room");
        assert_eq!(count(), 3);
        let next = Workspace::within(folder.path()).expect("there is room");
        assert_eq!(count(), 2, "one in use, and one for the next");
        assert!(used.file.path().exists());
        drop((used, next));
        assert_eq!(count(), 0);
    }
}
