//! Rounds of turns: in each round every subject is started, warmed up, measured and ended.

use std::time::Duration;

use crate::{
    Failure,
    load::{Load, Seen, Shape},
    rivals::{Running, Subject},
    server::Server,
    world::World,
};

pub(crate) const CONNECTIONS: u32 = 32;
/// Enough for every key to have its turn.
pub(crate) const WARM_UP: Duration = Duration::from_secs(3);
/// How near another turn must come to the best one, as a part of it, before no more are taken.
const NOISE: f64 = 0.08;
/// How many more turns a subject is given to settle.
const MORE_TURNS: usize = 4;

pub(crate) struct Contest<'a> {
    pub(crate) world: &'a World,
    pub(crate) time: Duration,
    pub(crate) rounds: usize,
    pub(crate) only: &'a str,
}

/// What one turn gave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) seen: Seen,
    /// Processor time for a request.
    pub(crate) cpu: Duration,
    pub(crate) pss: u64,
}

pub(crate) struct Results {
    pub(crate) title: &'static str,
    /// In order of their processor time.
    pub(crate) lines: Vec<Line>,
}

pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) is_peer: bool,
    pub(crate) best: Turn,
    pub(crate) is_noisy: bool,
}

impl Contest<'_> {
    pub(crate) fn hold(
        &self,
        title: &'static str,
        mut subjects: Vec<Subject>,
    ) -> Result<Results, Failure> {
        subjects.retain(|subject| subject.is_peer || subject.name.contains(self.only));
        let mut turns: Vec<Vec<Turn>> = subjects.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.rounds {
            for (subject, turns) in subjects.iter().zip(&mut turns) {
                turns.push(self.turn(title, subject)?);
            }
        }
        for (subject, turns) in subjects.iter().zip(&mut turns) {
            for _ in 0..MORE_TURNS {
                if !is_noisy(turns) {
                    break;
                }
                turns.push(self.turn(title, subject)?);
            }
        }
        let lines = subjects.iter().zip(turns).map(|(subject, turns)| Line {
            name: subject.name,
            is_peer: subject.is_peer,
            is_noisy: is_noisy(&turns),
            best: best(&turns),
        });
        let mut lines: Vec<Line> = lines.collect();
        lines.sort_by_key(|line| line.best.cpu);
        Ok(Results { title, lines })
    }

    fn turn(&self, title: &str, subject: &Subject) -> Result<Turn, Failure> {
        let running = (subject.start)(self.world)?;
        let shape = Shape {
            headers: subject.headers,
            ..Shape::KEY
        };
        let load = Load::new(self.world.folder(), &self.world.keys(), shape)?;
        let url = format!("http://127.0.0.1:{}{}", running.port, subject.path);
        load.succeed(&url, CONNECTIONS, WARM_UP)?;
        let turn = measure(&running, || load.succeed(&url, CONNECTIONS, self.time))?;
        eprintln!(
            "{title}: {}: {:.2} µs, {:.0}/s",
            subject.name,
            turn.cpu.as_secs_f64() * 1e6,
            turn.seen.per_second
        );
        Ok(turn)
    }
}

/// What a load costs those who serve it.
pub(crate) fn measure(
    running: &Running,
    load: impl FnOnce() -> Result<Seen, Failure>,
) -> Result<Turn, Failure> {
    let cpu = || {
        running
            .servers
            .iter()
            .map(Server::cpu_time)
            .sum::<Duration>()
    };
    let before = cpu();
    let seen = load()?;
    let requests = u32::try_from(seen.requests).unwrap_or(u32::MAX).max(1);
    Ok(Turn {
        seen,
        cpu: cpu().saturating_sub(before) / requests,
        pss: running.servers.iter().map(Server::pss).sum(),
    })
}

/// Whether no other turn came near the best one.
fn is_noisy(turns: &[Turn]) -> bool {
    let mut times: Vec<f64> = turns.iter().map(|turn| turn.cpu.as_secs_f64()).collect();
    times.sort_by(f64::total_cmp);
    times.len() < 2 || times[1] - times[0] > NOISE * times[0]
}

/// The turn that took the least time: a machine that others use as well only ever adds to it, for
/// some turns and not for others.
fn best(turns: &[Turn]) -> Turn {
    let best = turns.iter().min_by_key(|turn| turn.cpu);
    *best.expect("every subject has had a turn")
}
