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
mod floor;
mod keys;
mod load;
mod report;
mod rivals;
mod server;
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
    let checks = contest.hold("Checking a key", rivals::checking())?;
    let proxies = contest.hold("Passing a request on", rivals::proxying())?;
    let page = report::page(&[checks, proxies]);
    println!("{page}");
    if let Some(path) = &arguments.page {
        std::fs::write(path, page)?;
    }
    Ok(())
}
