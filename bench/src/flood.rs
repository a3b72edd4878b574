//! Keys that were never issued, as many as come, beside honest requests.

use std::{path::Path, thread, time::Duration};

use keygate_core::{OsRandom, key::KeyFormat};

use crate::{
    Failure,
    contest::CONNECTIONS,
    latency::{Latency, honest, median},
    load::{Load, Shape},
    rivals::{Running, Subject},
    server::Server,
    world::World,
};

/// How many keys were never issued: more than are asked about, so that none comes twice.
const STRANGERS: usize = 100_000;
/// How often honest requests have their turn, alone and beside the flood.
const ROUNDS: usize = 5;
/// How long the flood goes on alone, before and after.
const HEAD_START: Duration = Duration::from_secs(2);

/// What a flood did.
pub(crate) struct Flood {
    pub(crate) alone: Latency,
    pub(crate) beside: Latency,
    pub(crate) refused_per_second: f64,
    pub(crate) more_memory: u64,
}

/// Honest requests alone, and beside a flood.
pub(crate) fn flood(world: &World, subject: &Subject, time: Duration) -> Result<Flood, Failure> {
    let running = (subject.start)(world)?;
    let url = format!("http://127.0.0.1:{}{}", running.port, subject.path);
    let key = world.read_keys()?.swap_remove(0);
    let strangers = world.folder().join("strangers");
    write_strangers(&strangers)?;
    let honest = |time| honest(&url, &key, subject.headers, time)?.finish();
    honest(Duration::from_secs(1))?;
    let before = memory(&running);
    let shape = Shape {
        headers: subject.headers,
        ..Shape::KEY
    };
    let load = Load::new(world.folder(), &strangers, shape)?;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    let mut refused_per_second = 0.0;
    for _ in 0..ROUNDS {
        alone.push(honest(time)?);
        // The flood's own beginning, which keeps the core of the load busy, is not what is asked about.
        let seen = thread::scope(|scope| {
            let flooding = scope.spawn(|| load.run(&url, CONNECTIONS, time + 2 * HEAD_START).ok());
            thread::sleep(HEAD_START);
            beside.push(honest(time)?);
            let seen = flooding.join().expect("no panic");
            seen.ok_or_else(|| Failure::from("the flood failed"))
        });
        refused_per_second = seen?.per_second;
    }
    Ok(Flood {
        alone: median(&alone),
        beside: median(&beside),
        refused_per_second,
        more_memory: memory(&running).saturating_sub(before),
    })
}

fn memory(running: &Running) -> u64 {
    running.servers.iter().map(Server::pss).sum()
}

fn write_strangers(path: &Path) -> Result<(), Failure> {
    let format = KeyFormat::default();
    let lines = (0..STRANGERS).map(|_| format.generate(&OsRandom).expose().to_owned() + "\n");
    Ok(std::fs::write(path, lines.collect::<String>())?)
}
