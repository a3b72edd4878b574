//! The data folder, and the socket that is made in it.

use std::{os::unix::fs::MetadataExt, path::Path};

use rustix::{
    fs::{Access, access},
    process::geteuid,
};

use super::{
    Finding, nearest,
    permissions::{Openness, mode, openness},
};
use crate::operator::check_socket_path;

const CHECK: &str = "data folder";

pub(super) fn check(folder: &Path) -> Vec<Finding> {
    let mut found = vec![look(folder)];
    if let Err(failure) = check_socket_path(folder) {
        found.push(Finding::failure("operator socket", &failure));
    }
    found
}

fn look(folder: &Path) -> Finding {
    let shown = folder.display();
    let metadata = match folder.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return not_yet(folder),
        Err(error) => {
            return Finding::wrong(
                CHECK,
                format!("{shown} cannot be looked at ({error})."),
                "Run this as the user that runs keygate.",
            );
        }
    };
    if !metadata.is_dir() {
        return Finding::wrong(
            CHECK,
            format!("{shown} is no folder."),
            "Choose another with --data.",
        );
    }
    if openness(&metadata) == Openness::Everybody {
        return Finding::wrong(
            CHECK,
            format!(
                "Everybody on this machine can get at {shown} (mode {}).",
                mode(&metadata)
            ),
            format!("Leave it to the user that runs keygate: chmod 700 {shown}"),
        );
    }
    let (owner, user) = (metadata.uid(), geteuid().as_raw());
    if !is_writable(folder) {
        return Finding::wrong(
            CHECK,
            format!("{shown} belongs to user {owner}, and user {user} cannot write there."),
            "Run keygate as its owner, or give the folder to the user that runs keygate: chown -R",
        );
    }
    if owner != user {
        return Finding::warning(
            CHECK,
            format!("{shown} belongs to user {owner}, and this is user {user}."),
            "Run this as the user that runs keygate: it may see something else.",
        );
    }
    if openness(&metadata) == Openness::Group {
        return Finding::warning(
            CHECK,
            format!("The group can get at {shown} (mode {}).", mode(&metadata)),
            format!("If that is not meant: chmod 700 {shown}"),
        );
    }
    Finding::ok(CHECK, format!("{shown} is there, for its owner alone."))
}

/// It is made by the first start, if that can be.
fn not_yet(folder: &Path) -> Finding {
    let shown = folder.display();
    if is_writable(nearest(folder)) {
        return Finding::ok(
            CHECK,
            format!("{shown} is not yet there; keygate makes it when it starts."),
        );
    }
    Finding::wrong(
        CHECK,
        format!("{shown} is not there, and cannot be made."),
        "Choose another with --data, or make it for the user that runs keygate.",
    )
}

fn is_writable(folder: &Path) -> bool {
    access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}
