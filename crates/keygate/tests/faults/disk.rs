//! A small disk of its own, in memory.

use std::{fs::File, io::Write, path::PathBuf, process::Command};

use tempfile::TempDir;

use crate::support::{Program, Spawn};

/// A file system of a few MiB on the data folder of a program. It goes when this is dropped.
pub struct Disk(PathBuf);

impl Disk {
    /// Mounts the disk, and starts a program on it.
    pub fn with_program(spawn: Spawn) -> (Self, Program) {
        let folder = TempDir::new().expect("a temporary folder");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("made");
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m,mode=700", "keygate-test"])
            .arg(&data));
        let disk = Self(data);
        (disk, Program::start_in(spawn, folder))
    }

    /// Writes a file until not a byte more goes onto the disk.
    pub fn fill(&self) {
        let mut filler = File::options()
            .create(true)
            .append(true)
            .open(self.filler())
            .expect("a file");
        for size in [65_536, 4_096, 1] {
            while filler.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    pub fn free(&self) {
        std::fs::remove_file(self.filler()).expect("removed");
    }

    pub fn remount(&self, how: &str) {
        let options = format!("remount,{how}");
        run(Command::new("mount").args(["-o", &options]).arg(&self.0));
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a program that a failed test leaves may still have files open there.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "as root? {output:?}");
}
