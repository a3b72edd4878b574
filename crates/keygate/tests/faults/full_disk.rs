//! A full disk, while the program runs and when it starts.

use http::StatusCode;

use crate::{
    disk::Disk,
    operations::World,
    support::{Spawn, Upstream},
};

async fn world() -> (Disk, World) {
    let upstream = Upstream::start().await;
    let (disk, program) = Disk::with_program(Spawn {
        upstream: Some(upstream.url()),
        ..Spawn::default()
    });
    (disk, World::of(program, upstream).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_keys_are_checked_and_nothing_is_acknowledged() {
    let (disk, world) = world().await;
    disk.fill();
    world.assert_that_it_only_checks_keys().await;
    assert!(world.program.log().contains("was not committed"));
    disk.free();
    world.assert_that_it_recovers().await;
    // What it cannot note when it stops is not taken for another database at the next start.
    disk.fill();
    let mut world = world;
    world.program.terminate();
    disk.free();
    let world = world.restart();
    assert!(!world.program.log().contains("was restored"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_on_a_full_disk_after_a_crash() {
    let (disk, mut world) = world().await;
    disk.fill();
    world.program.kill();
    disk.fill();
    let world = world.restart();
    world.assert_that_it_only_checks_keys().await;
    disk.free();
    world.assert_that_it_recovers().await;
}

/// After a stop there is no log beside the database, and on a full disk none can be made.
#[tokio::test(flavor = "multi_thread")]
async fn it_starts_on_a_full_disk_after_a_stop() {
    let (disk, mut world) = world().await;
    assert!(world.program.terminate().success());
    disk.fill();
    let world = world.restart();
    world.assert_that_it_only_checks_keys().await;
    disk.free();
    world.assert_that_it_recovers().await;
    let mut world = world;
    assert!(world.program.terminate().success());
    let world = world.restart();
    assert_eq!(
        world.status_with(&world.in_use).await,
        StatusCode::UNAUTHORIZED
    );
}
