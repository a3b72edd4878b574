//! Bad days of the disk: full, failing, read-only, moved away. Those with a disk of their own need root.

#[path = "../support/mod.rs"]
mod support;

mod disk;
mod failing_disk;
mod full_disk;
mod memory;
mod moved_folder;
mod operations;
mod read_only_disk;
