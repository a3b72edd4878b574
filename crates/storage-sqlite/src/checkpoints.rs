//! When the log is written back into the database file.

use std::{
    fs::Metadata,
    sync::Arc,
    time::{Duration, Instant},
};

use keygate_storage::{Concern, Concerns, StorageError};
use rusqlite::Connection;

use crate::{error::storage_error, generation::Generations};

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
    generations: Generations,
    failed_at: Option<Instant>,
    /// How long the log has to be for the next attempt. While somebody reads for long, it goes on growing
    /// whatever is written back.
    due_at: i64,
    /// How long the log was after the last commit.
    pages: i64,
}

impl Checkpoints {
    pub(crate) fn new(
        connection: &Connection,
        concerns: Arc<Concerns>,
        generations: Generations,
    ) -> Result<Self, StorageError> {
        Ok(Self {
            concerns,
            generations,
            due_at: DUE_AFTER,
            failed_at: None,
            pages: pages(connection)?,
        })
    }

    /// Refuses where the log no longer belongs to the file.
    pub(crate) fn refuse_overwritten(&mut self, file: &Metadata) -> Result<(), StorageError> {
        self.generations.refuse_overwritten(file)
    }

    /// Whether the last commit has written anything: one that changes nothing writes nothing.
    pub(crate) fn has_grown(&mut self, connection: &Connection) -> bool {
        // Where it was begun anew, it can be as long as before by accident; then there is no proof.
        pages(connection).is_ok_and(|pages| std::mem::replace(&mut self.pages, pages) != pages)
    }

    /// Writes the log back, if it is long enough.
    pub(crate) fn run(&mut self, connection: &Connection) {
        if self.pages < DUE_AFTER {
            self.due_at = DUE_AFTER;
        }
        let waits = self.failed_at.is_some_and(|at| at.elapsed() < RETRY_AFTER);
        if self.pages < self.due_at || waits {
            return;
        }
        self.due_at = self.pages + DUE_AFTER;
        match self.write_back(connection) {
            Ok(is_complete) => {
                // It is already noted in which generation the file is, among others.
                let _ = is_complete.then(|| self.generations.settle());
                self.failed_at = None;
                self.concerns.lower(FAILED);
            }
            Err(error) => {
                self.failed_at = Some(Instant::now());
                self.due_at = DUE_AFTER;
                self.concerns.raise(Concern::error(FAILED, format!(
                    "The write-ahead log cannot be written back into the database file ({error}). Nothing is lost, but the log grows with each change: look after the disk."
                )));
            }
        }
    }
}

impl Checkpoints {
    /// Writes the log back for the last time. Whether the file alone is all of the database then, and that is
    /// noted; if not, the log has to stay for the next start.
    pub(crate) fn close(&mut self, connection: &Connection) -> bool {
        let closed = self.write_back(connection).and_then(|is_complete| {
            if is_complete {
                self.generations.close()?;
            }
            Ok(is_complete)
        });
        closed.unwrap_or_else(|error| {
            tracing::warn!(%error, "the write-ahead log is left for the next start");
            false
        })
    }

    /// Whether all of the log is in the file afterwards.
    fn write_back(&mut self, connection: &Connection) -> Result<bool, StorageError> {
        self.generations.renew(connection)?;
        let log = checkpoint(connection, "PASSIVE")?;
        Ok(log.pages == log.written_back)
    }
}

/// How long the log is, and how much of it is in the file, in pages.
struct Log {
    pages: i64,
    written_back: i64,
}

fn pages(connection: &Connection) -> Result<i64, StorageError> {
    Ok(checkpoint(connection, "NOOP")?.pages)
}

/// The log after a checkpoint of this kind.
fn checkpoint(connection: &Connection, kind: &str) -> Result<Log, StorageError> {
    let mut statement = connection
        .prepare_cached(&format!("PRAGMA main.wal_checkpoint({kind})"))
        .map_err(storage_error)?;
    statement
        .query_row([], |row| {
            Ok(Log {
                pages: row.get("log")?,
                written_back: row.get("checkpointed")?,
            })
        })
        .map_err(storage_error)
}
