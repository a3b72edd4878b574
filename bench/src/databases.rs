//! PostgreSQL with the keys of a data folder.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use keygate_storage_postgres::testing::PostgresServer;

use crate::{Failure, server::keygate_program};

/// A server with a database in which the keys of a data folder are, and its URL.
pub(crate) fn start(data: &Path) -> Result<(PostgresServer, String), Failure> {
    let server = PostgresServer::start();
    let url = server.create_database();
    copy(data, &url)?;
    Ok((server, url))
}

/// Has keygate copy a data folder; how long it took.
pub(crate) fn copy(data: &Path, url: &str) -> Result<Duration, Failure> {
    let from = format!("sqlite:{}", data.join("keygate.db").display());
    let began = Instant::now();
    let output = Command::new(keygate_program()?)
        .args(["storage", "copy", "--from", &from, "--to", url])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(began.elapsed())
}
