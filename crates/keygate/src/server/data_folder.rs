use std::{
    fs::DirBuilder,
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::Path,
};

use rustix::{
    fs::{Access, access},
    io::Errno,
    process::geteuid,
};

use crate::{failure::Failure, finding::Finding};

const CHECK: &str = "data folder";

/// Makes the data folder, for this user alone, where there is none.
pub(crate) fn create_data_folder(path: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| cannot_be_made(path, &error.to_string()))
}

/// Refuses what can be no data folder for this user.
pub(crate) fn check_data_folder(folder: &Path) -> Result<Finding, Failure> {
    let shown = folder.display();
    match folder.metadata() {
        Ok(found) if !found.is_dir() => Err(Failure::new(format!(
            "The data folder {shown} is not a folder. Choose another with --data."
        ))),
        Ok(found) => check_existing(folder, found.uid()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            check_place(folder)?;
            let message = format!("{shown} does not exist yet; keygate creates it when it starts.");
            Ok(Finding::ok(CHECK, message))
        }
        Err(error) => Err(Failure::new(format!(
            "The data folder {shown} cannot be accessed ({error}). Choose another with --data, or run keygate as the user that owns it."
        ))),
    }
}

fn check_existing(folder: &Path, owner: u32) -> Result<Finding, Failure> {
    let shown = folder.display();
    match may_make_files(folder) {
        Ok(()) => Ok(Finding::ok(
            CHECK,
            format!("{shown} is there and can be written to."),
        )),
        Err(Errno::ACCESS | Errno::PERM) => Err(Failure::new(format!(
            "The data folder {shown} belongs to user {owner}, and user {} cannot write there. Run keygate as its owner, or give the folder to the user that runs keygate (chown -R).",
            geteuid().as_raw()
        ))),
        // Keys are checked on a disk that can only be read.
        Err(error) => Ok(Finding::warning(
            CHECK,
            format!("{shown} cannot be written to ({error})."),
            "keygate starts, and checks keys, and changes nothing until it can be: look after the disk.",
        )),
    }
}

/// Whether it can be made where it is not yet.
fn check_place(folder: &Path) -> Result<(), Failure> {
    let place = nearest(folder);
    let refused = |why: &str| Err(cannot_be_made(folder, why));
    match place.metadata() {
        Ok(found) if !found.is_dir() => refused(&format!("{} is not a folder", place.display())),
        Err(error) => refused(&format!("{}: {error}", place.display())),
        Ok(_) => may_make_files(place).or_else(|error| {
            refused(&format!(
                "{}: {}",
                place.display(),
                std::io::Error::from(error)
            ))
        }),
    }
}

/// What is there of the way to a folder, be it the folder itself. A link that leads nowhere is there, too.
pub(crate) fn nearest(folder: &Path) -> &Path {
    let there = folder
        .ancestors()
        .find(|folder| folder.symlink_metadata().is_ok());
    // The folder in which the program runs has no name in a relative path.
    there.unwrap_or(Path::new("."))
}

fn may_make_files(folder: &Path) -> Result<(), Errno> {
    access(folder, Access::WRITE_OK | Access::EXEC_OK)
}

fn cannot_be_made(folder: &Path, why: &str) -> Failure {
    Failure::new(format!(
        "The data folder {} cannot be created ({why}). Choose another with --data, or create it for the user that runs keygate.",
        folder.display()
    ))
}
