//! How much room there is for the data.

use std::path::Path;

use rustix::fs::statvfs;

use super::Finding;

const CHECK: &str = "disk space";
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// Below this a warning, and below a twentieth of the disk.
const LITTLE: u64 = GIB;
/// Below this nothing can be relied on.
const TOO_LITTLE: u64 = 100 * MIB;

pub(super) fn check(folder: &Path) -> Finding {
    match statvfs(folder) {
        Ok(disk) => {
            let total = disk.f_blocks.saturating_mul(disk.f_frsize);
            judge(disk.f_bavail.saturating_mul(disk.f_frsize), total)
        }
        Err(error) => Finding::warning(
            CHECK,
            format!(
                "It cannot be said how much is free at {} ({error}).",
                folder.display()
            ),
            "Look with df.",
        ),
    }
}

fn judge(free: u64, total: u64) -> Finding {
    let said = format!("{} of {} are free.", size(free), size(total));
    if free < TOO_LITTLE {
        Finding::wrong(
            CHECK,
            said,
            "Make room now: on a full disk no change is acknowledged.",
        )
    } else if free < LITTLE || free < total / 20 {
        Finding::warning(CHECK, said, "Make room before it is full.")
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
    use crate::doctor::State;

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
            assert_eq!(judge(free, total).state, expected, "{}", size(free));
        }
        assert_eq!(size(3 * GIB / 2), "1.5 GiB");
        assert_eq!(size(99 * MIB), "99 MiB");
    }
}
