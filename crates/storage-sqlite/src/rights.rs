//! Whether this user may do with a database's files what a server does. SQLite says it later, or less clearly.

use std::{fs::Metadata, io::ErrorKind, os::unix::fs::MetadataExt, path::Path};

use keygate_storage::StorageError;
use rustix::{
    fs::{Access, access},
    io::Errno,
    process::geteuid,
};

use crate::files::{beside, folder_of};

/// Refuses files that this user may not read and write, and a folder in which it may not make any. That a
/// disk is full or can only be read is no matter of rights, and need not be so for long.
pub(crate) fn refuse_without_rights(database: &Path) -> Result<(), StorageError> {
    let folder = folder_of(database);
    match folder.metadata() {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(no_folder(folder, "is not a folder")),
        Err(error) => return Err(no_folder(folder, &reason(&error))),
    }
    for suffix in ["", "-wal", "-shm"] {
        file(&beside(database, suffix))?;
    }
    let may_make = access(folder, Access::WRITE_OK | Access::EXEC_OK);
    match may_make {
        Err(Errno::ACCESS | Errno::PERM) => Err(not_allowed(folder, "make files in")),
        Err(error) if !database.exists() => Err(no_folder(folder, &error.to_string())),
        _ => Ok(()),
    }
}

fn file(path: &Path) -> Result<(), StorageError> {
    match path.metadata() {
        Ok(found) if !found.is_file() => Err(StorageError::unsuitable(format!(
            "{} is not a file: choose another, or move it away",
            path.display()
        ))),
        Ok(_) => match access(path, Access::READ_OK | Access::WRITE_OK) {
            Err(Errno::ACCESS | Errno::PERM) => Err(not_allowed(path, "read and write")),
            _ => Ok(()),
        },
        // A link that leads nowhere is made no file by SQLite, but one where it leads.
        Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => Ok(()),
        Err(error) => Err(StorageError::unsuitable(format!(
            "{} cannot be accessed: {error}",
            path.display()
        ))),
    }
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "is not there".to_owned(),
        _ => format!("cannot be accessed ({error})"),
    }
}

fn no_folder(folder: &Path, why: &str) -> StorageError {
    let folder = folder.display();
    StorageError::unsuitable(format!(
        "its folder {folder} {why}: make it for the user that runs keygate, or choose another"
    ))
}

fn not_allowed(path: &Path, what: &str) -> StorageError {
    StorageError::unsuitable(format!(
        "user {} may not {what} {}{}: run keygate as the user that it belongs to, or give it to the user that runs keygate (chown)",
        geteuid().as_raw(),
        path.display(),
        path.metadata()
            .map(|found| whose(&found))
            .unwrap_or_default(),
    ))
}

fn whose(found: &Metadata) -> String {
    let mode = found.mode() & 0o7777;
    format!(", which belongs to user {} (mode {mode:04o})", found.uid())
}
