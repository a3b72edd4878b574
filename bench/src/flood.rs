//! Keys that were never issued, as many as come, beside honest requests.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use keygate_core::{OsRandom, key::KeyFormat};

use crate::{
    Failure,
    contest::CONNECTIONS,
    install,
    load::{Load, Shape},
    rivals::{Running, Subject},
    server::{LOAD_CORE, Server},
    world::World,
};

/// How many keys were never issued: more than are asked about, so that none comes twice.
const STRANGERS: usize = 100_000;
/// How many honest requests come each second.
const RATE: &str = "2000";

/// How long honest requests took at a fixed rate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latency {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// What a flood did.
pub(crate) struct Flood {
    pub(crate) alone: Latency,
    pub(crate) beside: Latency,
    pub(crate) refused_per_second: f64,
    pub(crate) more_memory: u64,
}

/// Honest requests at a fixed rate, one key, on the way that a subject serves.
pub(crate) fn latency(
    world: &World,
    subject: &Subject,
    time: Duration,
) -> Result<Latency, Failure> {
    let running = (subject.start)(world)?;
    let url = format!("http://127.0.0.1:{}{}", running.port, subject.path);
    let key = world.read_keys()?.swap_remove(0);
    honest(&url, &key, subject.headers, Duration::from_secs(1))?.finish()?;
    honest(&url, &key, subject.headers, time)?.finish()
}

/// Honest requests alone, and beside a flood.
pub(crate) fn flood(world: &World, subject: &Subject, time: Duration) -> Result<Flood, Failure> {
    let running = (subject.start)(world)?;
    let url = format!("http://127.0.0.1:{}{}", running.port, subject.path);
    let key = world.read_keys()?.swap_remove(0);
    let strangers = world.folder().join("strangers");
    write_strangers(&strangers)?;
    honest(&url, &key, subject.headers, Duration::from_secs(1))?.finish()?;
    let alone = honest(&url, &key, subject.headers, time)?.finish()?;
    let before = memory(&running);
    let shape = Shape {
        headers: subject.headers,
        ..Shape::KEY
    };
    let load = Load::new(world.folder(), &strangers, shape)?;
    let beside = honest(&url, &key, subject.headers, time)?;
    let seen = load.run(&url, CONNECTIONS, time)?;
    Ok(Flood {
        alone,
        beside: beside.finish()?,
        refused_per_second: seen.per_second,
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

/// Honest requests that are under way.
struct Honest(Child);

fn honest(
    url: &str,
    key: &str,
    headers: &[(&str, &str)],
    time: Duration,
) -> Result<Honest, Failure> {
    let mut command = Command::new("taskset");
    command.args([
        "-c",
        LOAD_CORE,
        install::OHA,
        "--no-tui",
        "--output-format",
        "json",
    ]);
    command.args(["-c", "16", "-q", RATE, "--latency-correction"]);
    command.args(["-z", &format!("{}s", time.as_secs())]);
    command.args(["-H", &format!("Authorization: Bearer {key}")]);
    for (name, value) in headers {
        command.args(["-H", &format!("{name}: {value}")]);
    }
    let child = command.arg(url).stdout(Stdio::piped()).spawn()?;
    Ok(Honest(child))
}

impl Honest {
    fn finish(self) -> Result<Latency, Failure> {
        let output = self.0.wait_with_output()?;
        let text = String::from_utf8(output.stdout)?;
        let report: serde_json::Value = serde_json::from_str(&text)?;
        let seconds = |name: &str| {
            let value = report["latencyPercentiles"][name].as_f64();
            value.map(Duration::from_secs_f64)
        };
        let refused = report["statusCodeDistribution"].as_object();
        let is_clean = refused.is_some_and(|codes| codes.keys().all(|code| code.starts_with('2')));
        match (seconds("p50"), seconds("p99")) {
            (Some(p50), Some(p99)) if is_clean => Ok(Latency { p50, p99 }),
            _ => Err(format!("oha says: {text}").into()),
        }
    }
}
