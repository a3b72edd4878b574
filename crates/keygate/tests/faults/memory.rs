//! A container with little memory.

use std::{
    fs::{create_dir, remove_dir, write},
    path::{Path, PathBuf},
};

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Account, PASSWORD, Program, Spawn};

const MIB: u64 = 1 << 20;

/// A control group whose processes are killed if they take more memory than this.
struct MemoryLimit(PathBuf);

impl MemoryLimit {
    fn new(bytes: u64) -> Self {
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
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        // Fails while the program is in it, which a failed test leaves.
        let _ = remove_dir(&self.0);
    }
}

/// Hashing a password takes 19 MiB: as many as come at once would not fit.
#[tokio::test(flavor = "multi_thread")]
async fn thirty_sign_ins_at_once_fit_into_128_mib() {
    let limit = MemoryLimit::new(128 * MIB);
    let mut program = Program::start(Spawn {
        group: Some(limit.0.clone()),
        ..Spawn::default()
    });
    let account = Account::create(&program).await;
    let mut hashed = 0;
    let sign_ins = (0..30).map(|number| {
        let email = format!("account{number}@example.com");
        let request = account.client.post(format!("{}/api/session", account.url));
        request
            .json(&json!({"email": email, "password": PASSWORD}))
            .send()
    });
    for answer in join_all(sign_ins).await {
        let status = answer.expect("it is alive").status().as_u16();
        assert!([401, 429, 503].contains(&status), "{status}");
        hashed += usize::from(status == 401);
    }
    assert!(hashed > 0, "passwords were looked at");
    let ready = reqwest::get(format!("{}/readyz", program.url)).await;
    assert_eq!(ready.expect("it is alive").status(), 200);
    assert!(program.terminate().success());
}
