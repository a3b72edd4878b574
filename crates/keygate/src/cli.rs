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
mod setting_flags;
mod stop_signal;
mod storage;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use rustix::{
    fs::Mode,
    process::{Signal, umask},
};
use tokio::signal::unix::SignalKind;

use crate::{
    config::{Flags, Given, OtherFlag, Settings},
    failure::Failure,
    telemetry, variables,
};

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
    #[arg(
        long,
        help = "How much to log: error, warn, info, debug, trace, or parts like keygate_gateway=debug,info",
        env = "KEYGATE_LOG",
        value_name = "FILTER",
        default_value = "info",
        global = true
    )]
    log: String,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve,
    /// Try keygate: a server with an echo upstream, an account and a key, all deleted on Ctrl-C
    Demo,
    /// Create, list and suspend accounts
    #[command(subcommand)]
    Account(account::Account),
    /// Issue, list and revoke keys
    #[command(subcommand)]
    Key(key::Key),
    /// Post and update incidents on the status page, schedule maintenance
    #[command(subcommand)]
    Incident(incident::Incident),
    /// Copy one database to another
    #[command(subcommand)]
    Storage(storage::Storage),
    /// Write a backup of the database to a file, also while the server runs
    Backup(backup::Backup),
    /// Replace the database with a backup; first lists which keys and accounts come back
    Restore(restore::Restore),
    /// Check the configuration, or print the reference of all settings
    #[command(subcommand)]
    Config(config::Config),
    /// Check the configuration, the data and the environment for problems; changes nothing
    Doctor(doctor::Doctor),
    /// Print the reference of the management API, in OpenAPI
    #[command(hide = true)]
    Openapi,
}

/// The flags that are no settings.
fn other_flags() -> impl Iterator<Item = OtherFlag> {
    let command = Cli::command();
    let flags: Vec<_> = command.get_arguments().filter_map(other_flag).collect();
    flags.into_iter()
}

fn other_flag(flag: &clap::Arg) -> Option<OtherFlag> {
    Some(OtherFlag {
        name: format!("--{}", flag.get_long()?),
        variable: flag.get_env()?.to_str()?.to_owned(),
        help: flag.get_help()?.to_string(),
    })
}

/// Runs the command line. Exit code 0 is success, 1 a failure, 2 a command line that is not
/// understood, 141 a result that nobody reads to its end.
pub(crate) fn run() -> ExitCode {
    // Whatever is made is for this user alone, and for this user it is, whoever starts the program.
    umask(Mode::RWXG | Mode::RWXO);
    let done = without_empty_variables().and_then(|()| match parse() {
        Ok((cli, given)) => start(cli, given),
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
            "The program cannot ignore environment variables that are empty ({error}). Unset them."
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

/// The command, and the settings that its flags give.
fn parse() -> Result<(Cli, Vec<Given>), clap::Error> {
    let matches = setting_flags::add(Cli::command()).try_get_matches()?;
    let cli = Cli::from_arg_matches(&matches)?;
    Ok((cli, setting_flags::given(&matches)))
}

fn start(cli: Cli, mut given: Vec<Given>) -> Result<ExitCode, Failure> {
    let others: Vec<String> = other_flags().map(|flag| flag.variable).collect();
    given.extend(variables::settings(&others)?);
    telemetry::start(&cli.global.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("The program cannot start threads ({error}).")))?;
    let flags = Flags {
        data: cli.global.data,
        config: cli.global.config,
        given,
    };
    let done = runtime.block_on(async {
        outlive_file_size_limit()?;
        match cli.command {
            Command::Serve => serve::run(&flags).await,
            Command::Demo => demo::run(&flags).await,
            Command::Account(account) => account.run(&mut Settings::load(&flags)?).await,
            Command::Key(key) => key.run(&mut Settings::load(&flags)?).await,
            Command::Incident(incident) => incident.run(&mut Settings::load(&flags)?).await,
            Command::Backup(backup) => backup.run(&mut Settings::load(&flags)?).await,
            Command::Restore(restore) => restore.run(&mut Settings::load(&flags)?).await,
            Command::Storage(storage) => storage.run().await,
            Command::Config(config) => config.run(&flags),
            Command::Doctor(doctor) => return doctor.run(&flags).await,
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
