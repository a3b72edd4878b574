//! The database in a file.

use std::path::Path;

use keygate_storage_sqlite::Inspection;

use super::{
    Clocks, DATABASE, Finding,
    permissions::{Openness, mode, openness},
};

pub(super) fn check(path: &Path, clocks: &mut Clocks) -> Vec<Finding> {
    let shown = path.display();
    if !path.exists() {
        let message = format!("{shown} is not yet there; keygate makes it when it starts.");
        return vec![Finding::ok(DATABASE, message)];
    }
    let inspection = match Inspection::of(path) {
        Ok(inspection) => inspection,
        Err(error) => return vec![Finding::storage(error)],
    };
    clocks.newest_entry = inspection.newest_entry;
    let mut found = vec![schema(
        &shown.to_string(),
        inspection.version,
        inspection.known,
    )];
    if let Ok(metadata) = path.metadata()
        && openness(&metadata) == Openness::Everybody
    {
        found.push(Finding::wrong(
            DATABASE,
            format!(
                "Everybody on this machine can get at {shown} (mode {}).",
                mode(&metadata)
            ),
            format!("Leave it to the user that runs keygate: chmod 600 {shown}"),
        ));
    }
    found
}

/// What the schema version means for this program. That of a later one is an error before this.
pub(super) fn schema(database: &str, version: i64, known: i64) -> Finding {
    if version == 0 {
        let message = format!("{database} is empty; keygate makes its schema when it starts.");
        return Finding::ok(DATABASE, message);
    }
    if version < known {
        return Finding::warning(
            DATABASE,
            format!(
                "{database} has schema version {version}; this keygate brings it to {known} when it starts."
            ),
            "Make a backup before: an older keygate does not run on it afterwards.",
        );
    }
    Finding::ok(
        DATABASE,
        format!("{database} can be read and has schema version {version}."),
    )
}
