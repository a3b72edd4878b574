//! Writes and syncs that fail, by a library that stands before the C library.

use std::{path::PathBuf, process::Command};

use http::StatusCode;
use rustix::io::Errno;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    operations::World,
    support::{Program, Spawn, Upstream, eventually},
};

/// A program whose files fail when the test says so.
struct FailingDisk {
    world: World,
    said: PathBuf,
    _folder: TempDir,
}

impl FailingDisk {
    async fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let library = folder.path().join("shim.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/shim.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .args([source, "-ldl"])
            .status();
        assert!(compiled.expect("cc is there").success());
        let said = folder.path().join("fault");
        let upstream = Upstream::start().await;
        let data = TempDir::new().expect("a temporary folder");
        let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
        let program = Program::start_in(
            Spawn {
                upstream: Some(upstream.url()),
                env: vec![
                    ("LD_PRELOAD".into(), text(&library)),
                    ("FAULT".into(), text(&said)),
                    ("FAULT_FOLDER".into(), text(&data.path().join("data"))),
                ],
                ..Spawn::default()
            },
            data,
        );
        Self {
            world: World::of(program, upstream).await,
            said,
            _folder: folder,
        }
    }

    /// From now on these operations fail, on files whose name ends like this.
    fn fail(&self, operation: &str, error: Errno, ending: &str) {
        // Never half of it.
        let new = self.said.with_extension("new");
        let fault = format!("{operation} {} {ending}", error.raw_os_error());
        std::fs::write(&new, fault).expect("written");
        std::fs::rename(&new, &self.said).expect("renamed");
    }

    fn mend(&self) {
        std::fs::remove_file(&self.said).expect("removed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_is_not_acknowledged_and_not_ready() {
    for error in [Errno::IO, Errno::ROFS, Errno::NOSPC] {
        let disk = FailingDisk::new().await;
        disk.fail("write", error, "*");
        disk.world.assert_that_it_only_checks_keys().await;
        disk.mend();
        disk.world.assert_that_it_recovers().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_is_not_acknowledged_and_what_was_is_kept() {
    let disk = FailingDisk::new().await;
    disk.fail("sync", Errno::IO, "*");
    disk.world.assert_that_it_only_checks_keys().await;
    disk.mend();
    let (status, kept) = disk.world.create("kept").await;
    assert_eq!(status, StatusCode::CREATED);
    disk.fail("sync", Errno::IO, "*");
    let refused = json!({"name": "never acknowledged"});
    let id = kept["id"].as_str().expect("text");
    let refused = disk.world.account.patch(id, &refused).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    let FailingDisk {
        mut world,
        said,
        _folder,
    } = disk;
    world.program.kill();
    std::fs::remove_file(said).expect("removed");
    let world = world.restart();
    let names: Vec<_> = world.keys().await;
    let kept = names.iter().find(|key| key["id"] == id).expect("kept");
    let name = kept["name"].as_str().expect("text");
    assert!(["kept", "never acknowledged"].contains(&name), "{name}");
    world.assert_that_it_recovers().await;
}

/// The log is synced, and the database file is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_fails_is_said_and_made_up_for() {
    let disk = FailingDisk::new().await;
    let world = &disk.world;
    disk.fail("sync", Errno::IO, ".db");
    let said = "The write-ahead log cannot be written back";
    let mut names = 0;
    eventually("it is said that a checkpoint failed", async || {
        names += 1;
        let name = json!({"name": format!("{names} {}", "x".repeat(200))});
        let renamed = world.account.patch(&world.in_use.id, &name).await;
        assert_eq!(renamed.status(), StatusCode::OK, "the log takes it");
        world.program.log().contains(said)
    })
    .await;
    let (status, ready) = world.ready().await;
    assert_eq!(status, StatusCode::OK, "writes are made");
    assert_eq!(ready["concerns"][0]["code"], "checkpoint_failed");
    disk.mend();
    eventually("it is said that it was made", async || {
        let name = json!({"name": "after"});
        let renamed = world.account.patch(&world.in_use.id, &name).await;
        assert_eq!(renamed.status(), StatusCode::OK);
        world.ready().await.1["concerns"].is_null()
    })
    .await;
    world.assert_that_it_recovers().await;
}
