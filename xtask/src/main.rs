//! The project's chores: `cargo xtask test` and what belongs to it.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it speaks to whoever runs it"
)]

mod run;
mod tools;

use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};

use run::{Failure, Meanwhile, cargo, root};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's chores")]
enum Chore {
    /// Everything that must hold; installs what it needs
    Test,
    /// Kill the program again and again under mixed writes, and look for anything lost
    Crash {
        /// How often
        #[arg(default_value_t = 2_000)]
        kills: u32,
    },
    /// The long run of several nodes: 20 histories, 100 nodes replaced under load, 200 databases that go
    /// back, 1,000 pauses; and ten million secrets, no two alike
    Nodes,
    /// A minute of thousands of slow clients, with few descriptors, little memory, an upstream that hangs and
    /// a resolver that is silent
    Crowd,
    /// Compare what becomes of requests and answers at random on both lanes
    Lanes {
        /// How many
        #[arg(default_value_t = 1_000_000)]
        cases: u32,
    },
    /// Measure keygate beside its rivals and write docs/benchmarks.md; installs what it needs
    Bench {
        /// What is handed on, like --seconds 2
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Take a picture of every page in target/screenshots, and renew those in docs/screenshots
    Screenshots,
    #[command(subcommand)]
    Docs(Docs),
}

/// Pages that are made from the code
#[derive(Subcommand)]
enum Docs {
    /// Write docs/configuration.md anew
    Configuration,
    /// Write docs/openapi.json anew
    Openapi,
    /// Write the lines and the table of docs/clients.md anew
    Clients,
}

fn main() -> ExitCode {
    let done = match Chore::parse() {
        Chore::Test => test(),
        Chore::Crash { kills } => crash(kills),
        Chore::Nodes => nodes(),
        Chore::Crowd => crowd(),
        Chore::Lanes { cases } => lanes(cases),
        Chore::Bench { options } => bench(&options),
        Chore::Screenshots => screenshots(),
        Chore::Docs(Docs::Configuration) => {
            write_page("docs/configuration.md", &["config", "reference"])
        }
        Chore::Docs(Docs::Openapi) => write_page("docs/openapi.json", &["openapi"]),
        Chore::Docs(Docs::Clients) => clients(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(why)) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn test() -> Result<(), Failure> {
    tools::install()?;
    // One of the tests runs the README's first command, and this is what takes long in it. Most tests wait
    // for something, and leave room for it.
    let _release = Meanwhile::cargo(&["run", "--release", "--quiet", "--", "--version"])?;
    cargo("Formatting", &["fmt", "--all", "--check"], &[])?;
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ];
    cargo("Lints", &clippy, &[])?;
    let model = [
        "test",
        "--package",
        "keygate-verify",
        "--features",
        "loom",
        "--lib",
        "model",
    ];
    cargo("Every interleaving of fills and revocations", &model, &[])?;
    let strict = [("RUSTDOCFLAGS", "--deny warnings")];
    cargo(
        "Documentation",
        &["doc", "--workspace", "--no-deps"],
        &strict,
    )?;
    cargo("Examples in it", &["test", "--workspace", "--doc"], &strict)?;
    // Last, so that its summary is what a run ends with.
    let tests = [
        "test",
        "--workspace",
        // There is nothing in them to be tested.
        "--exclude",
        "xtask",
        "--exclude",
        "keygate-bench",
        "--lib",
        "--bins",
        "--tests",
        "--no-fail-fast",
    ];
    cargo("All tests", &tests, &[])
}

fn screenshots() -> Result<(), Failure> {
    tools::install()?;
    let tour = [
        "test",
        "--package",
        "keygate",
        "--test",
        "dashboard",
        "tour",
    ];
    cargo("Pictures of every page", &tour, &[])?;
    let (taken, shown) = (
        root().join("target/screenshots"),
        root().join("docs/screenshots"),
    );
    let failed = |error: std::io::Error| Failure(format!("docs/screenshots: {error}"));
    for picture in std::fs::read_dir(&shown).map_err(failed)? {
        let name = picture.map_err(failed)?.file_name();
        std::fs::copy(taken.join(&name), shown.join(&name)).map_err(failed)?;
    }
    println!("All of them are in {}", taken.display());
    Ok(())
}

fn crash(kills: u32) -> Result<(), Failure> {
    let crash = [
        "test",
        "--package",
        "keygate",
        "--test",
        "crash",
        "--",
        "--nocapture",
    ];
    cargo("Kill after kill", &crash, &[("KILLS", &kills.to_string())])
}

fn nodes() -> Result<(), Failure> {
    tools::install()?;
    let secrets = [
        "test",
        "--release",
        "--package",
        "keygate-core",
        "--test",
        "unique",
    ];
    let many = [("SECRETS", "10000000")];
    cargo("Ten million secrets", &secrets, &many)?;
    let nodes = [
        "test",
        "--package",
        "keygate",
        "--test",
        "nodes",
        "--",
        "--nocapture",
    ];
    let long = [
        ("SEEDS", "20"),
        ("ROUNDS", "100"),
        ("FAILOVERS", "100"),
        ("PAUSES", "1000"),
    ];
    cargo("Several nodes, for long", &nodes, &long)
}

fn crowd() -> Result<(), Failure> {
    let siege = [
        "test",
        "--release",
        "--package",
        "keygate",
        "--test",
        "crowd",
        "siege",
        "--",
        "--nocapture",
    ];
    cargo("A siege", &siege, &[("SIEGE_SECONDS", "60")])
}

fn lanes(cases: u32) -> Result<(), Failure> {
    let lanes = [
        "test",
        "--release",
        "--package",
        "keygate",
        "--test",
        "e2e",
        "lanes",
        "--",
        "--nocapture",
    ];
    cargo("Both lanes", &lanes, &[("CASES", &cases.to_string())])
}

fn clients() -> Result<(), Failure> {
    tools::install()?;
    let clients = ["test", "--package", "keygate", "--test", "clients"];
    let write = [("KEYGATE_WRITE_DOCS", "1")];
    let lines = ["test", "--package", "keygate-web", "--lib"];
    cargo("Clients' lines", &lines, &write)?;
    cargo("Clients", &clients, &write)
}

fn bench(options: &[String]) -> Result<(), Failure> {
    tools::install_for_bench()?;
    let build = [
        "build",
        "--release",
        "--package",
        "keygate",
        "--package",
        "keygate-bench",
    ];
    cargo("keygate and the bench", &build, &[])?;
    let page = run::root().join("docs/benchmarks.md");
    let mut command = Command::new(run::root().join("target/release/keygate-bench"));
    // A part of the measurements makes no page.
    if options.is_empty() {
        command.arg("--page").arg(page);
    }
    run::succeed(command.args(options))
}

/// Writes a page that a command of the program prints.
fn write_page(path: &str, command: &[&str]) -> Result<(), Failure> {
    let run = ["run", "--quiet", "--package", "keygate", "--"];
    let page = run::output(&[&run[..], command].concat())?;
    std::fs::write(run::root().join(path), page)
        .map_err(|error| Failure(format!("{path} cannot be written: {error}")))
}
