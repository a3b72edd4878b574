//! A backup: one state of a database, in one file, checked.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use keygate_storage::StorageError;
use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};

use crate::{
    connection::open_source,
    error::storage_error,
    files::{beside, folder_of, sync_folder},
    generation::{Generations, SUFFIX, has_generation, renew_copy},
    lock::DatabaseLock,
    migrations::{self, APPLICATION_ID},
    workspace::Workspace,
};

/// How many pages are copied between two reports of how far it is.
const STEP: std::ffi::c_int = 1_000;

/// How far it is: pages that are copied, and pages there are.
pub type BackupProgress<'a> = &'a mut dyn FnMut(u64, u64);

/// Writes a backup of the database at `database`, which another process may go on changing, to `file`,
/// for this user alone. Nothing is at `file` before all of it is there, on the disk and checked.
///
/// Fails where there is a file already, unless it is a backup that may be replaced.
pub fn back_up(
    database: &Path,
    file: &Path,
    may_replace: bool,
    progress: BackupProgress<'_>,
) -> Result<(), StorageError> {
    if !database.exists() {
        let why = format!("{} does not exist", database.display());
        return Err(StorageError::unavailable(why));
    }
    refuse_own_files(database, file)?;
    // Whoever has it open has looked whether its log belongs to it.
    let lock = match DatabaseLock::take(database) {
        Ok(lock) => {
            Generations::of(database)?;
            Some(lock)
        }
        Err(StorageError::InUse(_)) => None,
        Err(error) => return Err(error),
    };
    let source = open_source(database)?;
    migrations::refuse_unknown_or_empty(&source, database)?;
    let copied = copy(&source, folder_of(file), progress)?;
    drop(source);
    drop(lock);
    copied
        .persist(file, may_replace)
        .and_then(|()| sync_folder(folder_of(file)))
        .map_err(|error| cannot_write(file, &error))
}

/// Refuses to put a backup where the database keeps what it acknowledges, and in the place of what is no file.
fn refuse_own_files(database: &Path, file: &Path) -> Result<(), StorageError> {
    let is_there = |why: &str| StorageError::Occupied(format!("{} {why}", file.display()));
    let found = file.symlink_metadata();
    if found.is_ok_and(|found| !found.is_file() && !found.is_symlink()) {
        return Err(is_there("is not a file"));
    }
    let real = database
        .canonicalize()
        .map_err(|error| cannot_write(file, &error))?;
    let own = ["", "-wal", "-shm", "-journal", SUFFIX].map(|suffix| beside(&real, suffix));
    let place = place(file);
    if place == self::place(database) || place.is_some_and(|place| own.contains(&place)) {
        return Err(is_there("is the database's own: choose another name"));
    }
    // Keys cannot be checked without the pepper that was replaced by mistake.
    if file.exists() && !is_database(file).map_err(|error| cannot_write(file, &error))? {
        return Err(is_there("is no backup of keygate's: choose another name"));
    }
    Ok(())
}

/// Whether a file is empty, or a database of keygate's by its head.
fn is_database(file: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    File::open(file)?.take(100).read_to_end(&mut head)?;
    let is_ours = head.get(68..72) == Some(&APPLICATION_ID.to_be_bytes()[4..]);
    Ok(head.is_empty() || is_ours && head.starts_with(b"SQLite format 3\0"))
}

/// Where a file is, whatever way leads there; a link is not followed.
fn place(path: &Path) -> Option<PathBuf> {
    let folder = folder_of(path).canonicalize().ok()?;
    Some(folder.join(path.file_name()?))
}

/// Copies what `source` sees now into a file of its own in `folder`, and checks that.
pub(crate) fn copy(
    source: &Connection,
    folder: &Path,
    progress: BackupProgress<'_>,
) -> Result<Workspace, StorageError> {
    let workspace = Workspace::within(folder).map_err(|error| cannot_write(folder, &error))?;
    let file = &workspace.file;
    let mut target = Connection::open(file.path()).map_err(storage_error)?;
    copy_pages(source, &mut target, progress).map_err(storage_error)?;
    // All of it is to be in this one file.
    target
        .pragma_update(None, "journal_mode", "delete")
        .map_err(storage_error)?;
    if has_generation(&target)? {
        renew_copy(&target)?;
    }
    check(&target)?;
    target.close().map_err(|(_, error)| storage_error(error))?;
    file.as_file()
        .sync_all()
        .map_err(|error| cannot_write(file.path(), &error))?;
    Ok(workspace)
}

/// In one transaction of the source: where others write meanwhile, it would begin again and again.
fn copy_pages(
    source: &Connection,
    target: &mut Connection,
    progress: BackupProgress<'_>,
) -> rusqlite::Result<()> {
    source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema")?;
    let backup = Backup::new(source, target)?;
    loop {
        let step = backup.step(STEP)?;
        let now = backup.progress();
        let [left, of] =
            [now.remaining, now.pagecount].map(|pages| u64::try_from(pages).unwrap_or(0));
        progress(of.saturating_sub(left), of);
        if step == StepResult::Done {
            break;
        }
    }
    drop(backup);
    source.execute_batch("COMMIT")
}

/// Refuses a database that is not sound.
pub(crate) fn check(connection: &Connection) -> Result<(), StorageError> {
    let said: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(storage_error)?;
    let mut references = connection
        .prepare("PRAGMA foreign_key_check")
        .map_err(storage_error)?;
    if said != "ok" || references.exists([]).map_err(storage_error)? {
        return Err(StorageError::Corrupt("page"));
    }
    Ok(())
}

pub(crate) fn cannot_write(path: &Path, error: &std::io::Error) -> StorageError {
    StorageError::unavailable(format!("{} cannot be written: {error}", path.display()))
}
