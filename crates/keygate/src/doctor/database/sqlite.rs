//! The database in a file.

use std::path::{Path, PathBuf};

use keygate_storage::StorageError;
use keygate_storage_sqlite::find_damage;

use crate::{
    doctor::permissions::{Openness, mode, openness},
    finding::Finding,
};

const CHECK: &str = "database file";

pub(super) async fn check(path: &Path) -> Vec<Finding> {
    let mut found = vec![pages(path.to_owned()).await];
    found.extend(privacy(path));
    found
}

/// Reads each page, which may take its time.
async fn pages(path: PathBuf) -> Finding {
    let sound = format!("Each page of {} is as it should be.", path.display());
    let read = tokio::task::spawn_blocking(move || find_damage(&path)).await;
    match read.map_err(StorageError::internal).flatten() {
        Ok(()) => Finding::ok(CHECK, sound),
        Err(error) => Finding::failure(CHECK, &error.into()),
    }
}

fn privacy(path: &Path) -> Option<Finding> {
    let metadata = path.metadata().ok()?;
    let shown = path.display();
    (openness(&metadata) == Openness::Everybody).then(|| {
        Finding::wrong(
            CHECK,
            format!(
                "Everybody on this machine can get at {shown} (mode {}).",
                mode(&metadata)
            ),
            format!("Leave it to the user that runs keygate: chmod 600 {shown}"),
        )
    })
}
