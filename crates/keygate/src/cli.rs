//! The commands.

mod account;
mod backup;
mod config;
mod demo;
mod doctor;
mod incident;
mod input;
mod key;
mod output;
mod restore;
mod serve;
mod stop_signal;
mod storage;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use rustix::{
    fs::Mode,
    process::{Signal, umask},
};
use tokio::signal::unix::SignalKind;

use crate::{
    config::{Flags, Settings, did_you_mean},
    failure::Failure,
    telemetry, variables,
};

/// The variables that are read.
const VARIABLES: [&str; 8] = [
    "KEYGATE_DATA",
    "KEYGATE_CONFIG",
    "KEYGATE_DATABASE",
    "KEYGATE_LISTEN",
    "KEYGATE_METRICS_LISTEN",
    "KEYGATE_UPSTREAM",
    "KEYGATE_STATUS_INTERVAL",
    "KEYGATE_LOG",
];

/// API keys for your API: issue them, check them at wire speed, revoke them at once.
#[derive(Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Global {
    /// The data folder [default: ./keygate-data]
    #[arg(long, env = "KEYGATE_DATA", value_name = "FOLDER", global = true)]
    data: Option<PathBuf>,
    /// The configuration file
    #[arg(long, env = "KEYGATE_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The database: a file in the data folder, or postgres://… [default: keygate.db]
    #[arg(
        long,
        env = "KEYGATE_DATABASE",
        hide_env_values = true,
        value_name = "DATABASE",
        global = true
    )]
    database: Option<String>,
    /// How much to log: error, warn, info, debug or trace
    #[arg(
        long,
        env = "KEYGATE_LOG",
        value_name = "FILTER",
        default_value = "info",
        global = true
    )]
    log: String,
}

/// What the server and the demo have in common.
#[derive(Args)]
struct ListenFlag {
    /// The address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, env = "KEYGATE_LISTEN", value_name = "ADDRESS")]
    listen: Option<String>,
}

/// What the server and the check of its configuration have in common.
#[derive(Args)]
struct ServerFlags {
    #[command(flatten)]
    listen: ListenFlag,
    /// The address and port on which /metrics is answered, or off [default: 127.0.0.1:9464]
    #[arg(long, env = "KEYGATE_METRICS_LISTEN", value_name = "ADDRESS")]
    metrics_listen: Option<String>,
    #[arg(
        long,
        env = "KEYGATE_UPSTREAM",
        value_name = "URL",
        help = "Where requests under /v1 go, like http://127.0.0.1:11434"
    )]
    upstream: Option<String>,
    /// How often to look whether all works, for the status page, or off [default: 30s]
    #[arg(long, env = "KEYGATE_STATUS_INTERVAL", value_name = "TIME")]
    status_interval: Option<String>,
}

impl ServerFlags {
    fn join(self, flags: Flags) -> Flags {
        Flags {
            listen: self.listen.listen,
            metrics_listen: self.metrics_listen,
            upstream: self.upstream,
            status_interval: self.status_interval,
            ..flags
        }
    }
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::Serve),
    /// Try it: a server with an echo upstream, an account and a key, all thrown away on Ctrl-C
    Demo(demo::Demo),
    /// Make, list, suspend accounts
    #[command(subcommand)]
    Account(account::Account),
    /// Issue, list, revoke keys
    #[command(subcommand)]
    Key(key::Key),
    /// Post incidents on the status page, say more of them, schedule maintenance
    #[command(subcommand)]
    Incident(incident::Incident),
    /// Move from one database to another
    #[command(subcommand)]
    Storage(storage::Storage),
    /// Write a backup of the database to a file, also while the server runs
    Backup(backup::Backup),
    /// Put a backup in the place of the database; says first what comes back to life with it
    Restore(restore::Restore),
    /// Check the configuration, or read about it
    #[command(subcommand)]
    Config(config::Config),
    /// Look for what is wrong with the configuration, the data and what stands around; changes nothing
    Doctor(doctor::Doctor),
    /// Print the reference of the management API, in OpenAPI
    #[command(hide = true)]
    Openapi,
}

/// Runs the command line. Exit code 0 is success, 1 a failure, 2 a command line that is not
/// understood, 141 a result that nobody reads to its end.
pub(crate) fn run() -> ExitCode {
    // Whatever is made is for this user alone, and for this user it is, whoever starts the program.
    umask(Mode::RWXG | Mode::RWXO);
    let done = without_empty_variables().and_then(|()| match Cli::try_parse() {
        Ok(cli) => start(cli),
        Err(answer) => explain(&answer),
    });
    done.unwrap_or_else(|failure| {
        output::error(&failure);
        failure.exit_code().into()
    })
}

fn without_empty_variables() -> Result<(), Failure> {
    variables::drop_empty().map_err(|error| {
        Failure::new(format!(
            "The program cannot begin without the variables that are empty ({error}). Unset them."
        ))
    })
}

/// Prints the help or the version that was asked for, or what is not understood.
fn explain(answer: &clap::Error) -> Result<ExitCode, Failure> {
    let printed = answer.print();
    if !answer.use_stderr() {
        printed.map_err(|error| Failure::of_output(&error))?;
    }
    Ok(u8::try_from(answer.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from))
}

fn start(cli: Cli) -> Result<ExitCode, Failure> {
    refuse_unknown_variables()?;
    telemetry::start(&cli.global.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("The program cannot start threads ({error}).")))?;
    let flags = Flags {
        data: cli.global.data,
        config: cli.global.config,
        database: cli.global.database,
        ..Flags::default()
    };
    let done = runtime.block_on(async {
        outlive_file_size_limit()?;
        match cli.command {
            Command::Serve(serve) => serve.run(flags).await,
            Command::Demo(demo) => demo.run(flags).await,
            Command::Account(account) => account.run(&mut Settings::load(&flags)?).await,
            Command::Key(key) => key.run(&mut Settings::load(&flags)?).await,
            Command::Incident(incident) => incident.run(&mut Settings::load(&flags)?).await,
            Command::Backup(backup) => backup.run(&mut Settings::load(&flags)?).await,
            Command::Restore(restore) => restore.run(&mut Settings::load(&flags)?).await,
            Command::Storage(storage) => storage.run().await,
            Command::Config(config) => config.run(flags),
            Command::Doctor(doctor) => return doctor.run(flags).await,
            Command::Openapi => output::line(keygate_web::openapi_json().trim_end()),
        }?;
        Ok(ExitCode::SUCCESS)
    });
    // Everything is done but for names that are looked up, which nothing can break off.
    runtime.shutdown_background();
    done
}

/// Has a write beyond the limit on the size of files (`ulimit -f`) fail as one to a full disk does, in the place
/// of ending the program.
fn outlive_file_size_limit() -> Result<(), Failure> {
    let exceeded = SignalKind::from_raw(Signal::XFSZ.as_raw());
    let caught = tokio::signal::unix::signal(exceeded).map(drop);
    caught.map_err(|error| Failure::new(format!("Signals cannot be handled ({error}).")))
}

/// A misspelt variable would otherwise be overlooked.
fn refuse_unknown_variables() -> Result<(), Failure> {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if !name.starts_with("KEYGATE_") || VARIABLES.contains(&&*name) || is_kubernetes(&name) {
            continue;
        }
        let advice = did_you_mean(&name, &VARIABLES);
        return Err(Failure::new(format!(
            "There is no variable {name}. {advice}"
        )));
    }
    Ok(())
}

/// Kubernetes tells every container by such names of each service in its namespace, one that is called keygate,
/// or keygate-metrics, among them.
fn is_kubernetes(name: &str) -> bool {
    let is_port = |rest: &str| {
        let mut words = rest.split('_');
        words.next().is_some_and(|port| port.parse::<u16>().is_ok())
            && matches!(words.next(), Some("TCP" | "UDP" | "SCTP"))
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.ends_with("_PORT")
        || name
            .split_once("_PORT_")
            .is_some_and(|(_, rest)| is_port(rest))
}
