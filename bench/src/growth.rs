//! What more keys cost: in time to start, in processor time, in memory.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    Failure,
    contest::{CONNECTIONS, Turn, WARM_UP, measure},
    keys,
    load::{Load, Shape},
    rivals::{Running, keygate},
    server::{SERVER_CORE, Server},
    world::free_port,
};

/// How many keys are asked for again and again.
const HOT: usize = 1_000;
/// How many are asked for once.
const COLD: usize = 200_000;

/// Enough for each of them to have its turn.
const ALL_COLD: Duration = Duration::from_secs(15);

/// keygate with so many keys.
pub(crate) struct Size {
    pub(crate) issued: usize,
    pub(crate) start: Duration,
    pub(crate) idle_pss: u64,
    /// Processor time for a check of a key that is in memory.
    pub(crate) hot: Duration,
    /// What a key costs more that is not.
    pub(crate) cold_extra: Duration,
    /// Memory for each key that came into it, in bytes.
    pub(crate) bytes_per_key: u64,
}

/// Measures keygate with this many keys.
pub(crate) fn measure_size(issued: usize, time: Duration) -> Result<Size, Failure> {
    eprintln!("Growth: issuing {issued} keys");
    let folder = TempDir::new()?;
    let (data, all) = (folder.path().join("data"), folder.path().join("all"));
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(keys::seed(&data, issued, HOT + COLD, &all))?;
    let text = std::fs::read_to_string(&all)?;
    let (hot, cold) = (folder.path().join("hot"), folder.path().join("cold"));
    let lines: Vec<&str> = text.lines().collect();
    let hot_lines = &lines[..HOT.min(lines.len())];
    std::fs::write(&hot, hot_lines.join("\n"))?;
    std::fs::write(&cold, lines[hot_lines.len()..].join("\n"))?;

    let began = Instant::now();
    let running = start(folder.path(), &data)?;
    let start = began.elapsed();
    let idle_pss = running.servers.iter().map(Server::pss).sum();
    let shape = Shape {
        headers: keygate::QUESTION,
        ..Shape::KEY
    };
    let url = format!("http://127.0.0.1:{}/verify", running.port);
    let load = Load::new(folder.path(), &hot, shape)?;
    load.succeed(&url, CONNECTIONS, WARM_UP)?;
    let warm = measure(&running, || load.succeed(&url, CONNECTIONS, time))?;
    let (mut cold_extra, mut bytes_per_key) = (Duration::ZERO, 0);
    let different = (lines.len() - hot_lines.len()) as u64;
    if different > 0 {
        let load = Load::new(folder.path(), &cold, shape)?;
        // Less time than it takes to come round to the first again.
        let first = measure(&running, || {
            load.succeed(&url, CONNECTIONS, Duration::from_secs(1))
        })?;
        cold_extra = first.cpu.saturating_sub(warm.cpu);
        // By now SQLite's page caches are full, and what is added is the keys' own.
        let all = measure(&running, || load.succeed(&url, CONNECTIONS, ALL_COLD))?;
        let cached = |turn: &Turn| turn.seen.requests.min(different);
        let added = cached(&all).saturating_sub(cached(&first));
        bytes_per_key = all.pss.saturating_sub(first.pss) / added.max(1);
    }
    Ok(Size {
        issued,
        start,
        idle_pss,
        hot: warm.cpu,
        cold_extra,
        bytes_per_key,
    })
}

fn start(folder: &Path, data: &Path) -> Result<Running, Failure> {
    let port = free_port()?;
    let command = keygate::command(folder, data, port, None)?;
    Ok(Running {
        servers: vec![Server::start(SERVER_CORE, &command, port)?],
        port,
    })
}
