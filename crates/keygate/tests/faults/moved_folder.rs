//! The data folder goes while the program runs.

use std::{fs::rename, path::PathBuf, process::Command};

use http::StatusCode;

use crate::{
    operations::World,
    support::{Program, Upstream},
};

async fn world() -> (World, PathBuf, PathBuf) {
    let upstream = Upstream::start().await;
    let program = Program::with_upstream(&upstream.url());
    let (data, away) = (program.data(), program.folder().join("away"));
    (World::of(program, upstream).await, data, away)
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_folder_that_was_moved_nothing_is_acknowledged() {
    let (world, data, away) = world().await;
    rename(&data, &away).expect("moved");
    world.assert_that_it_only_checks_keys().await;
    assert!(
        world
            .program
            .log()
            .contains("was removed, moved or replaced")
    );
    // A copy is another database: what is written to the open one would not be in it.
    let copied = Command::new("cp").arg("-a").args([&away, &data]).status();
    assert!(copied.expect("cp runs").success());
    world.assert_that_it_only_checks_keys().await;
    std::fs::remove_dir_all(&data).expect("removed");
    rename(&away, &data).expect("moved back");
    world.assert_that_it_recovers().await;
}

/// What `cp` does, unlike `mv`: the same file has other content.
#[tokio::test(flavor = "multi_thread")]
async fn over_a_backup_that_was_copied_in_its_place_nothing_is_acknowledged() {
    let (mut world, data, _) = world().await;
    let backup = world.program.folder().join("backup.db");
    let written = world.program.cli(&["backup", "backup.db"], "");
    assert!(written.status.success(), "{written:?}");
    assert_eq!(world.create("later").await.0, StatusCode::CREATED);
    std::fs::copy(&backup, data.join("keygate.db")).expect("copied");
    let (status, said) = world.create("lost").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{said}");
    assert_eq!(world.ready().await.0, StatusCode::SERVICE_UNAVAILABLE);
    let said = world.program.log();
    assert!(said.contains("another file was copied over it"), "{said}");
    // Nor is the log written into it at the end.
    world.program.terminate();
    let log = data.join("keygate.db-wal").metadata();
    assert!(log.expect("it is there").len() > 0);
    let began = world.program.cli(&["key", "list"], "");
    assert!(!began.status.success(), "{began:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_folder_that_was_removed_nothing_is_acknowledged() {
    let (world, data, _) = world().await;
    std::fs::remove_dir_all(&data).expect("removed");
    world.assert_that_it_only_checks_keys().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_one_of_its_files_nothing_is_acknowledged() {
    for file in ["keygate.db", "keygate.db-wal", "keygate.db-shm"] {
        let (world, data, _) = world().await;
        std::fs::remove_file(data.join(file)).expect("removed");
        let (status, said) = world.create("lost").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{file} {said}");
        world.assert_that_it_only_checks_keys().await;
    }
}
