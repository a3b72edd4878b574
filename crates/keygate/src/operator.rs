//! The operator's commands.
//!
//! One process has the database open at a time. While keygate runs, a command is handed to it over
//! a socket in the data folder, which only its own user can reach: the running server makes the
//! change itself, by the same use cases and with the same cache to invalidate, so a revocation has
//! taken effect when the command returns. Otherwise the command opens the database and does the
//! same.

mod client;
mod command;
mod incidents;
mod listener;
mod pages;

pub(crate) use client::{RunningKeygate, find_running, health, is_running, locate, run};
pub(crate) use command::Command;
pub(crate) use listener::{Listener, Place};

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{config::Database, failure::Failure};

/// A command, and for which database it is meant, where that is named: the socket is found by the data
/// folder alone.
#[derive(Serialize, Deserialize)]
struct Request {
    database: Option<Named>,
    /// Nothing, where it is only to be said which database it is.
    command: Option<Command>,
}

/// A database that a command is meant for.
#[derive(Clone, Serialize, Deserialize)]
struct Named {
    name: String,
    /// What it is the same by under another name; left out where it takes a connection to tell.
    identity: Option<String>,
}

/// Which database a keygate uses, and where it is found. What versions before did not say is left out.
#[derive(Serialize, Deserialize)]
struct Served {
    is_file: bool,
    name: String,
    addresses: Option<Vec<SocketAddr>>,
}

/// How a keygate that runs is.
#[derive(Serialize, Deserialize)]
pub(crate) struct Health {
    /// Why it is not ready.
    pub(crate) unready: Option<String>,
    /// What an operator has to know.
    pub(crate) concerns: Vec<String>,
}

/// What a command gives: its result, or the line that says why not.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Done(Value),
    Refused(String),
    /// The database has another name. Whether it is another one, its identity tells.
    Identify,
}

/// The longest path that the operating system takes for a socket (`sun_path`, less its end).
const MAX_SOCKET_PATH: usize = 107;

/// Refuses a data folder whose path is too long for the socket in it, and one in which something is in its
/// place that a socket cannot take the place of.
pub(crate) fn check_socket(data: &Path) -> Result<(), Failure> {
    let path = socket_path(data);
    let length = path.as_os_str().len();
    if length > MAX_SOCKET_PATH {
        return Err(Failure::new(format!(
            "The path of the data folder {} is too long by {} bytes for the socket that is made in it. Choose a shorter one, or a relative one, with --data.",
            data.display(),
            length - MAX_SOCKET_PATH
        )));
    }
    if path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        return Err(Failure::new(format!(
            "The socket {} for the operator's commands cannot be created: there is a folder with this name. Move it away.",
            path.display()
        )));
    }
    Ok(())
}

/// What a database is called, the same from wherever a command is run.
fn database_name(database: &Database) -> String {
    match database {
        Database::Sqlite(path) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            path.display().to_string()
        }
        Database::Postgres(options) => options.name(),
    }
}

fn other_database(own: &str, named: &str) -> String {
    format!(
        "Nothing was done: the keygate that runs in this data folder uses {own}, and this names {named}. Name its database with --database or --config, or none, or choose another folder with --data."
    )
}

fn socket_path(data: &Path) -> PathBuf {
    data.join("operator.sock")
}
