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
    let sound = format!("Every page of {} is intact.", path.display());
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
                "Every user of this machine can access {shown} (mode {}).",
                mode(&metadata)
            ),
            format!("Restrict it to the user that runs keygate: chmod 600 {shown}"),
        )
    })
}
