use crate::{
    disk::Disk,
    operations::World,
    support::{Spawn, Upstream},
};

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_on_a_read_only_disk_and_writes_when_it_can() {
    for how_it_ends in ["TERM", "KILL"] {
        let upstream = Upstream::start().await;
        let (disk, program) = Disk::with_program(Spawn {
            upstream: Some(upstream.url()),
            ..Spawn::default()
        });
        let mut world = World::of(program, upstream).await;
        world.program.signal(how_it_ends);
        world.program.wait();
        disk.remount("ro");
        let world = world.restart();
        world.assert_that_it_only_checks_keys().await;
        disk.remount("rw");
        world.assert_that_it_recovers().await;
    }
}
