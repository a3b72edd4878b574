//! The operator's commands.
//!
//! One process has the database open at a time. While keygate runs, a command is handed to it over
//! a socket in the data folder, which only its own user can reach: the running server makes the
//! change itself, by the same use cases and with the same cache to invalidate, so a revocation has
//! taken effect when the command returns. Otherwise the command opens the database and does the
//! same.

mod client;
mod command;
mod listener;

pub(crate) use client::run;
pub(crate) use command::Command;
pub(crate) use listener::Listener;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a command gives: its result, or the line that says why not.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Done(Value),
    Refused(String),
}

fn socket_path(data: &Path) -> PathBuf {
    data.join("operator.sock")
}
