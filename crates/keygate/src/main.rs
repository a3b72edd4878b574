//! The program: commands, configuration, wiring and shutdown. It holds no rules of its own.

mod cli;
mod config;
mod demo;
mod doctor;
mod failure;
mod finding;
mod noted;
mod operator;
mod preflight;
mod server;
mod store;
mod telemetry;
mod use_cases;
mod variables;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
