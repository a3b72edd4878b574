//! Measures keygate beside its rivals, all in one run on one machine, and writes the page of figures.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it speaks to whoever runs it"
)]
#![expect(
    clippy::cast_precision_loss,
    reason = "counts are shown with a few digits"
)]

mod contest;
mod databases;
mod engine;
mod flood;
mod floor;
mod growth;
mod install;
mod issuing;
mod keys;
mod latency;
mod load;
mod nginx_config;
mod nodes;
mod report;
mod rivals;
mod server;
mod status;
mod world;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};

use contest::Contest;
use world::World;

type Failure = Box<dyn std::error::Error>;

#[derive(Parser)]
#[command(about = "Measures keygate beside its rivals")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// How long each measurement takes
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// How often each subject has its turn
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only the subjects whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Only these measurements: engine, checks, proxies, latency, flood, growth, issuing, nodes or
    /// status
    #[arg(long, default_value = "")]
    suite: String,
    /// The page to write
    #[arg(long)]
    page: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// The floor: a bare server that answers 204
    #[command(hide = true)]
    Floor { port: u16 },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Some(Command::Floor { port }) => floor::serve(port),
        None => measure(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<(), Failure> {
    let world = World::make()?;
    let contest = Contest {
        world: &world,
        time: Duration::from_secs(arguments.seconds),
        rounds: arguments.rounds,
        only: &arguments.only,
    };
    let only = |name: &str| arguments.suite.is_empty() || arguments.suite == name;
    let mut page = report::Page::begin(arguments.page.clone())?;
    if only("engine") {
        page.engine(&engine::engine()?);
        page.save()?;
    }
    if only("checks") {
        page.contest(&contest.hold("Checking a key", rivals::checking())?);
        page.save()?;
    }
    if only("proxies") {
        page.contest(&contest.hold("Passing a request on", rivals::proxying())?);
        page.save()?;
    }
    if only("latency") {
        let mut subjects = rivals::proxying();
        subjects.truncate(2);
        page.latencies(&latency::latencies(&world, &subjects, contest.time)?);
        page.save()?;
    }
    if only("flood") {
        page.flood(&flood::flood(
            &world,
            &rivals::keygate_verify(),
            contest.time,
        )?);
        page.save()?;
    }
    if only("growth") {
        let sizes = [1_000, 1_000_000, 10_000_000];
        let sizes: Result<Vec<_>, _> = sizes
            .into_iter()
            .map(|issued| growth::measure_size(issued, contest.time))
            .collect();
        page.growth(&sizes?);
        page.save()?;
    }
    if only("issuing") {
        page.issuing(&issuing::issuing(&world, contest.time)?);
        page.save()?;
    }
    if only("nodes") {
        page.contest(&contest.hold(
            "A key in memory, by the database behind",
            rivals::databases(),
        )?);
        page.nodes(&nodes::nodes(&world, contest.time)?);
        page.save()?;
    }
    if only("status") {
        page.status(&status::status()?);
        page.save()?;
    }
    println!("{}", page.text());
    Ok(())
}
