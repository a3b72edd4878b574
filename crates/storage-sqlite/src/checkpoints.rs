//! When the log is written back into the database file.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use keygate_storage::{Concern, Concerns, StorageError};
use rusqlite::Connection;

use crate::error::unavailable;

/// How long the log becomes before it is written back, in pages; SQLite's own default.
const DUE_AFTER: i64 = 1_000;

/// The code of the concern.
const FAILED: &str = "checkpoint_failed";

/// How long to wait after a failure: each attempt writes the whole log again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Writes the log back. SQLite can do that by itself, but says nothing when it fails: the log would
/// grow until the disk is full.
pub(crate) struct Checkpoints {
    concerns: Arc<Concerns>,
    failed_at: Option<Instant>,
    /// How long the log was after the last commit.
    pages: i64,
}

impl Checkpoints {
    pub(crate) fn new(
        connection: &Connection,
        concerns: Arc<Concerns>,
    ) -> Result<Self, StorageError> {
        Ok(Self {
            concerns,
            failed_at: None,
            pages: pages(connection)?,
        })
    }

    /// Whether the last commit has written anything: one that changes nothing writes nothing.
    pub(crate) fn has_grown(&mut self, connection: &Connection) -> bool {
        // Where it was begun anew, it can be as long as before by accident; then there is no proof.
        pages(connection).is_ok_and(|pages| std::mem::replace(&mut self.pages, pages) != pages)
    }

    /// Writes the log back, if it is long enough.
    pub(crate) fn run(&mut self, connection: &Connection) {
        let waits = self.failed_at.is_some_and(|at| at.elapsed() < RETRY_AFTER);
        if self.pages < DUE_AFTER || waits {
            return;
        }
        match checkpoint(connection, "PASSIVE") {
            Ok(_) => {
                self.failed_at = None;
                self.concerns.lower(FAILED);
            }
            Err(error) => {
                self.failed_at = Some(Instant::now());
                self.concerns.raise(Concern::error(FAILED, format!(
                    "The write-ahead log cannot be written back into the database file ({error}). Nothing is lost, but the log grows with each change: look after the disk."
                )));
            }
        }
    }
}

fn pages(connection: &Connection) -> Result<i64, StorageError> {
    checkpoint(connection, "NOOP")
}

/// How long the log is, in pages, after a checkpoint of this kind.
fn checkpoint(connection: &Connection, kind: &str) -> Result<i64, StorageError> {
    let mut statement = connection
        .prepare_cached(&format!("PRAGMA main.wal_checkpoint({kind})"))
        .map_err(unavailable)?;
    statement
        .query_row([], |row| row.get("log"))
        .map_err(unavailable)
}
