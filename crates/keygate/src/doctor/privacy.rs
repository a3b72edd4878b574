//! Who else can get at the data folder.

use std::{os::unix::fs::MetadataExt, path::Path};

use rustix::process::geteuid;

use super::{
    Finding,
    permissions::{Openness, mode, openness},
};

const CHECK: &str = "data folder";

/// What there is to say of a folder that is there.
pub(super) fn of_folder(folder: &Path) -> Option<Finding> {
    let metadata = folder.metadata().ok().filter(std::fs::Metadata::is_dir)?;
    let shown = folder.display();
    if openness(&metadata) == Openness::Everybody {
        return Some(Finding::wrong(
            CHECK,
            format!(
                "Every user of this machine can access {shown} (mode {}).",
                mode(&metadata)
            ),
            format!("Restrict it to the user that runs keygate: chmod 700 {shown}"),
        ));
    }
    let (owner, user) = (metadata.uid(), geteuid().as_raw());
    if owner != user {
        return Some(Finding::warning(
            CHECK,
            format!("{shown} belongs to user {owner}, and this is user {user}."),
            "Run this as the user that runs keygate: it may see something else.",
        ));
    }
    (openness(&metadata) == Openness::Group).then(|| {
        Finding::warning(
            CHECK,
            format!("The group can access {shown} (mode {}).", mode(&metadata)),
            format!("If that is not intended: chmod 700 {shown}"),
        )
    })
}
