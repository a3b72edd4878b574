use std::{
    fs::{create_dir, remove_dir, write},
    path::{Path, PathBuf},
};

pub const MIB: u64 = 1 << 20;

/// A control group whose processes are killed if they take more memory than this.
pub struct MemoryLimit(PathBuf);

impl MemoryLimit {
    pub fn new(bytes: u64) -> Self {
        let root = Path::new("/sys/fs/cgroup");
        let (parent, limit) = if root.join("cgroup.controllers").exists() {
            // It may stand there already, and is not to be had where it is missing.
            let _ = write(root.join("cgroup.subtree_control"), "+memory");
            (root.to_owned(), "memory.max")
        } else {
            (root.join("memory"), "memory.limit_in_bytes")
        };
        let group = parent.join(format!("keygate-test-{}", std::process::id()));
        create_dir(&group).expect("root may make a control group");
        write(group.join(limit), bytes.to_string()).expect("memory can be limited");
        Self(group)
    }

    /// What a program is started in.
    pub fn group(&self) -> PathBuf {
        self.0.clone()
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        // Fails while the program is in it, which a failed test leaves.
        let _ = remove_dir(&self.0);
    }
}
