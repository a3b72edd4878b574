use crate::{
    disk::Disk,
    operations::World,
    support::{Spawn, Upstream},
};

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_on_a_read_only_disk_and_writes_when_it_can() {
    let upstream = Upstream::start().await;
    let (disk, program) = Disk::with_program(Spawn {
        upstream: Some(upstream.url()),
        ..Spawn::default()
    });
    let mut world = World::of(program, upstream).await;
    assert!(world.program.terminate().success());
    disk.remount("ro");
    let elsewhere = tempfile::TempDir::new().expect("a temporary folder");
    let place = |name: &str| elsewhere.path().join(name).display().to_string();
    let from = format!(
        "sqlite:{}",
        world.program.data().join("keygate.db").display()
    );
    let to = format!("sqlite:{}", place("copied.db"));
    for command in [
        &["backup", &*place("backup.db")] as &[_],
        &["storage", "copy", "--from", &from, "--to", &to],
    ] {
        let done = world.program.cli(command, "");
        assert!(done.status.success(), "{done:?}");
    }
    let world = world.restart();
    world.assert_that_it_only_checks_keys().await;
    disk.remount("rw");
    world.assert_that_it_recovers().await;
}

/// SQLite shares the index of the log among the connections of a process, and has opened it for reading.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_it_checks_keys_on_a_read_only_disk() {
    let upstream = Upstream::start().await;
    let (disk, program) = Disk::with_program(Spawn {
        upstream: Some(upstream.url()),
        ..Spawn::default()
    });
    let mut world = World::of(program, upstream).await;
    world.program.kill();
    disk.remount("ro");
    let mut world = world.restart();
    world.assert_that_it_only_checks_keys().await;
    disk.remount("rw");
    world.program.kill();
    world.restart().assert_that_it_recovers().await;
}
