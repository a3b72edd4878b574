//! The one thread that writes.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use keygate_core::key::KeyHash;
use keygate_storage::{AuditEntry, ChangeListener, ChangeListeners, StorageError};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::{audit, query, worker::Worker};

/// How many pieces of work one commit carries at most.
const MAX_GROUP: usize = 512;

/// How many pieces of work may wait; who comes later waits to hand theirs in.
const MAX_WAITING: usize = 4_096;

/// Changes nothing, and must be written all the same.
const PROBE: &str = "UPDATE hasher SET fingerprint = fingerprint";

type Job = Box<dyn FnOnce(&Connection, &mut Group) + Send>;
type Acknowledge = Box<dyn FnOnce(&Result<(), StorageError>) + Send>;

pub(crate) struct Writer {
    worker: Worker<Job>,
    listeners: Arc<ChangeListeners>,
    healthy: Arc<AtomicBool>,
}

/// What a piece of work may do inside its transaction.
pub(crate) struct Write<'a> {
    connection: &'a Connection,
    changed: Vec<KeyHash>,
    everything_changed: bool,
}

impl Write<'_> {
    /// Writes an audit entry beside the change that it records.
    pub(crate) fn audit(&self, entry: &AuditEntry) -> Result<(), StorageError> {
        audit::insert(self.connection, entry)
    }

    /// Notes that what is known of a key is out of date once this is committed.
    pub(crate) fn key_changed(&mut self, hash: KeyHash) {
        self.changed.push(hash);
    }

    /// Notes that what is known of any key may be out of date once this is committed.
    pub(crate) fn everything_changed(&mut self) {
        self.everything_changed = true;
    }
}

impl Deref for Write<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

/// The work that one commit carries.
#[derive(Default)]
struct Group {
    changed: Vec<KeyHash>,
    everything_changed: bool,
    acknowledge: Vec<Acknowledge>,
}

impl Writer {
    pub(crate) fn start(connection: Connection) -> Result<Self, StorageError> {
        let listeners = Arc::<ChangeListeners>::default();
        let healthy = Arc::new(AtomicBool::new(true));
        let (heard, health) = (listeners.clone(), healthy.clone());
        let run = move |waiting| run(&connection, waiting, &heard, &health);
        Ok(Self {
            worker: Worker::start("keygate-writer", MAX_WAITING, run)?,
            listeners,
            healthy,
        })
    }

    pub(crate) fn subscribe(&self, listener: Arc<dyn ChangeListener>) {
        self.listeners.subscribe(listener);
    }

    /// Whether writing works: the last commit succeeded, or one that is made now does.
    pub(crate) async fn check(&self) -> Result<(), StorageError> {
        if self.worker.is_alive() && self.healthy.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.write(|db| query::execute(db, PROBE, []).map(|_| ()))
            .await
    }

    /// Runs `work` in a transaction and returns when it is durable. Where `work` fails, nothing
    /// of it is kept. Whoever stops waiting does not stop the work.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Write<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection, group| {
            let outcome = in_savepoint(connection, group, work);
            group.acknowledge.push(Box::new(move |committed| {
                let _ = reply.send(committed.clone().and(outcome));
            }));
        });
        self.worker.send(job).await?;
        answer.await.map_err(|_| StorageError::Closed)?
    }

    /// Lets the thread finish what waits and close the database.
    pub(crate) async fn close(&self) {
        self.worker.close().await;
    }
}

fn run(
    connection: &Connection,
    mut waiting: mpsc::Receiver<Job>,
    listeners: &ChangeListeners,
    healthy: &AtomicBool,
) {
    while let Some(first) = waiting.blocking_recv() {
        let mut group = Group::default();
        let committed = write_group(connection, &mut group, first, &mut waiting);
        if let Err(error) = &committed {
            tracing::error!(%error, "a group of writes was not committed");
        }
        healthy.store(committed.is_ok(), Ordering::Relaxed);
        // Even where the commit failed: reading once more is never wrong.
        if group.everything_changed {
            listeners.everything_changed();
        }
        listeners.keys_changed(&group.changed);
        for acknowledge in group.acknowledge {
            acknowledge(&committed);
        }
    }
}

fn write_group(
    connection: &Connection,
    group: &mut Group,
    first: Job,
    waiting: &mut mpsc::Receiver<Job>,
) -> Result<(), StorageError> {
    let begun = execute(connection, "BEGIN IMMEDIATE");
    let mut next = Some(first);
    while let Some(job) = next {
        job(connection, group);
        // SQLite rolls the whole transaction back by itself when, for one, the disk is full.
        // What would follow would then be outside any transaction.
        let room = group.acknowledge.len() < MAX_GROUP && !connection.is_autocommit();
        next = room.then(|| waiting.try_recv().ok()).flatten();
    }
    begun?;
    if connection.is_autocommit() {
        return Err(StorageError::Unavailable("a write was rolled back".into()));
    }
    execute(connection, "COMMIT").inspect_err(|_| {
        let _ = execute(connection, "ROLLBACK");
    })
}

fn in_savepoint<T>(
    connection: &Connection,
    group: &mut Group,
    work: impl FnOnce(&mut Write<'_>) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    if connection.is_autocommit() {
        return Err(StorageError::Unavailable("no transaction".into()));
    }
    execute(connection, "SAVEPOINT work")?;
    let mut write = Write {
        connection,
        changed: Vec::new(),
        everything_changed: false,
    };
    let outcome = work(&mut write);
    if outcome.is_ok() {
        group.changed.append(&mut write.changed);
        group.everything_changed |= write.everything_changed;
    } else {
        // Fails only where the whole transaction is gone already.
        let _ = execute(connection, "ROLLBACK TO work");
    }
    match execute(connection, "RELEASE work") {
        Err(error) if outcome.is_ok() => Err(error),
        _ => outcome,
    }
}

fn execute(connection: &Connection, sql: &str) -> Result<(), StorageError> {
    query::execute(connection, sql, []).map(|_| ())
}
