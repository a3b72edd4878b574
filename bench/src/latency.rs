//! How long requests take at a fixed rate, far below what the subjects can do.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{Failure, install, rivals::Subject, server::LOAD_CORE, world::World};

/// How many requests come each second.
const RATE: &str = "2000";
/// How often each subject has its turn: the slowest hundredth is told by few requests.
const ROUNDS: usize = 7;

/// How long requests took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latency {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// The medians of the subjects' turns.
pub(crate) fn latencies(
    world: &World,
    subjects: &[Subject],
    time: Duration,
) -> Result<Vec<(&'static str, Latency)>, Failure> {
    let mut turns: Vec<Vec<Latency>> = subjects.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (subject, turns) in subjects.iter().zip(&mut turns) {
            let turn = latency(world, subject, time)?;
            eprintln!("At a fixed rate: {}: {turn:?}", subject.name);
            turns.push(turn);
        }
    }
    let medians = subjects.iter().zip(&turns);
    Ok(medians
        .map(|(subject, turns)| (subject.name, median(turns)))
        .collect())
}

/// The medians of several turns.
pub(crate) fn median(turns: &[Latency]) -> Latency {
    let middle = |of: fn(&Latency) -> Duration| {
        let mut times: Vec<Duration> = turns.iter().map(of).collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    Latency {
        p50: middle(|turn| turn.p50),
        p99: middle(|turn| turn.p99),
    }
}

fn latency(world: &World, subject: &Subject, time: Duration) -> Result<Latency, Failure> {
    let running = (subject.start)(world)?;
    let url = format!("http://127.0.0.1:{}{}", running.port, subject.path);
    let key = world.read_keys()?.swap_remove(0);
    honest(&url, &key, subject.headers, Duration::from_secs(1))?.finish()?;
    honest(&url, &key, subject.headers, time)?.finish()
}

/// Honest requests that are under way.
pub(crate) struct Honest(Child);

/// Begins to send requests with one key.
pub(crate) fn honest(
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
    pub(crate) fn finish(self) -> Result<Latency, Failure> {
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
