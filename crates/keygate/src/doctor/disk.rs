//! How much room there is for the data.

use std::{os::unix::fs::MetadataExt, path::Path};

use rustix::fs::{StatVfsMountFlags, statvfs};

use super::Finding;
use crate::{config::Database, server::nearest};

const CHECK: &str = "disk space";
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// Below this a warning, and below a twentieth of the disk.
const LITTLE: u64 = GIB;
/// Below this nothing can be relied on.
const TOO_LITTLE: u64 = 100 * MIB;

/// The disk of the data folder, and that of a database that lies elsewhere.
pub(super) fn check(data: &Path, database: &Database) -> Vec<Finding> {
    let of_database = match database {
        Database::Sqlite(path) => path.parent(),
        Database::Postgres(_) => None,
    };
    let mut found = of_folder(data);
    let device = |folder: &Path| nearest(folder).metadata().ok().map(|found| found.dev());
    if let Some(folder) = of_database
        && device(folder) != device(data)
    {
        found.extend(of_folder(folder));
    }
    found
}

/// The disk on which a folder is, or would be.
pub(super) fn of_folder(folder: &Path) -> Vec<Finding> {
    let folder = nearest(folder);
    let shown = folder.display();
    let disk = match statvfs(folder) {
        Ok(disk) => disk,
        Err(error) => {
            let said = format!("The free space at {shown} cannot be read ({error}).");
            return vec![Finding::warning(CHECK, said, "Check with df.")];
        }
    };
    let size = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    let mut found = vec![judge(
        &shown.to_string(),
        size(disk.f_bavail),
        size(disk.f_blocks),
    )];
    if disk.f_flag.contains(StatVfsMountFlags::RDONLY) {
        found.push(Finding::wrong(
            CHECK,
            format!("The disk of {shown} is read-only."),
            "Check the system's log for the reason, and mount it for writing: until then no change is accepted.",
        ));
    }
    // Some file systems have no such number.
    if disk.f_files > 0 && disk.f_favail == 0 {
        found.push(Finding::wrong(
            CHECK,
            format!("The disk of {shown} has no room for another file, however small (df -i)."),
            "Remove files that nobody needs.",
        ));
    }
    found
}

fn judge(folder: &str, free: u64, total: u64) -> Finding {
    let said = format!("{} of {} are free at {folder}.", size(free), size(total));
    if free < TOO_LITTLE {
        Finding::wrong(
            CHECK,
            said,
            "Free some space now: on a full disk no change is accepted.",
        )
    } else if free < LITTLE || free < total / 20 {
        Finding::warning(CHECK, said, "Free some space before it is full.")
    } else {
        Finding::ok(CHECK, said)
    }
}

fn size(bytes: u64) -> String {
    if bytes < GIB {
        return format!("{} MiB", bytes / MIB);
    }
    let tenths = u128::from(bytes) * 10 / u128::from(GIB);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::State;

    #[test]
    fn little_is_a_warning_and_less_is_wrong() {
        for (free, total, expected) in [
            (50 * GIB, 100 * GIB, State::Ok),
            (5 * GIB, 100 * GIB, State::Ok),
            (4 * GIB, 100 * GIB, State::Warning),
            (GIB - 1, 2 * GIB, State::Warning),
            (100 * MIB, 2 * GIB, State::Warning),
            (100 * MIB - 1, 2 * GIB, State::Wrong),
            (0, 2 * GIB, State::Wrong),
        ] {
            assert_eq!(judge("/", free, total).state, expected, "{}", size(free));
        }
        assert_eq!(size(3 * GIB / 2), "1.5 GiB");
        assert_eq!(size(99 * MIB), "99 MiB");
    }
}
