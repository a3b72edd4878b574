//! The one thread that writes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use keygate_core::key::KeyHash;
use keygate_storage::{ChangeListener, ChangeListeners, StorageError};
use keygate_storage_sql::Ending;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    database::{Database, OpenDatabase, PROBE},
    failures::Failures,
    query,
    tx::Write,
    worker::Worker,
};

/// How many pieces of work one commit carries at most.
const MAX_GROUP: usize = 512;

/// How many pieces of work may wait; who comes later waits to hand theirs in.
const MAX_WAITING: usize = 4_096;

/// How long a write proves that another one can be made.
const PROOF_LASTS: Duration = Duration::from_secs(1);

/// How long the write of a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

type Job = Box<dyn FnOnce(Option<&mut Connection>, &mut Group) + Send>;
type Acknowledge = Box<dyn FnOnce(&Result<(), StorageError>) + Send>;

pub(crate) struct Writer {
    worker: Worker<Job>,
    listeners: Arc<ChangeListeners>,
    health: Arc<Mutex<Health>>,
}

/// What is known of how writing goes.
#[derive(Default)]
struct Health {
    /// When something was last written and synced, unless a commit has failed since.
    proven_at: Option<Instant>,
}

/// The work that one commit carries.
#[derive(Default)]
struct Group {
    changed: Vec<KeyHash>,
    everything_changed: bool,
    acknowledge: Vec<Acknowledge>,
    /// The error at which SQLite rolled the whole transaction back.
    ended_by: Option<StorageError>,
}

impl Writer {
    pub(crate) fn start(database: Database) -> Result<Self, StorageError> {
        let listeners = Arc::<ChangeListeners>::default();
        let health = Arc::<Mutex<Health>>::default();
        let thread = Thread {
            database,
            listeners: listeners.clone(),
            health: health.clone(),
            failures: Failures::new("a group of writes was not committed"),
        };
        Ok(Self {
            worker: Worker::start("keygate-writer", MAX_WAITING, |waiting| thread.run(waiting))?,
            listeners,
            health,
        })
    }

    pub(crate) fn subscribe(&self, listener: Arc<dyn ChangeListener>) {
        self.listeners.subscribe(listener);
    }

    /// Whether writing works: something was just now written and synced, or is in time.
    pub(crate) async fn check(&self) -> Result<(), StorageError> {
        let proven_at = self.health.lock().proven_at;
        if proven_at.is_some_and(|at| at.elapsed() < PROOF_LASTS) {
            return Ok(());
        }
        let probe = self.write(|db| query::execute(db, PROBE, []).map(|_| Ending::Commit(())));
        timeout(PROBE_TIMEOUT, probe).await.unwrap_or_else(|_| {
            let why = format!("a write was not made within {} s", PROBE_TIMEOUT.as_secs());
            Err(StorageError::unavailable(why))
        })
    }

    /// Runs `work` in a transaction and returns when it is durable. Where `work` fails or says so,
    /// nothing of it is kept. Whoever stops waiting does not stop the work.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Write<'_>) -> Result<Ending<T>, StorageError> + Send + 'static,
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

/// What the thread goes by.
struct Thread {
    database: Database,
    listeners: Arc<ChangeListeners>,
    health: Arc<Mutex<Health>>,
    failures: Failures,
}

impl Thread {
    fn run(mut self, mut waiting: mpsc::Receiver<Job>) {
        while let Some(first) = waiting.blocking_recv() {
            let mut group = Group::default();
            let committed = match self.database.writable() {
                Ok(database) => write_group(database, &mut group, first, &mut waiting),
                Err(error) => {
                    first(None, &mut group);
                    Err(error)
                }
            };
            self.failures.note(&committed);
            self.note(&committed);
            // Even where the commit failed: reading once more is never wrong.
            if group.everything_changed {
                self.listeners.everything_changed();
            }
            self.listeners.keys_changed(&group.changed);
            for acknowledge in group.acknowledge {
                acknowledge(&committed);
            }
            if committed.is_ok() {
                self.write_back();
            }
        }
        self.database.close();
    }

    fn note(&mut self, committed: &Result<(), StorageError>) {
        let mut health = self.health.lock();
        if committed.is_err() {
            health.proven_at = None;
        } else if let Ok(database) = self.database.writable()
            && database.checkpoints.has_grown(&database.connection)
        {
            health.proven_at = Some(Instant::now());
        }
    }

    /// Nobody waits for this: what is in the log is safe.
    fn write_back(&mut self) {
        if let Ok(database) = self.database.writable() {
            database.checkpoints.run(&database.connection);
        }
    }
}

fn write_group(
    database: &mut OpenDatabase,
    group: &mut Group,
    first: Job,
    waiting: &mut mpsc::Receiver<Job>,
) -> Result<(), StorageError> {
    let connection = &mut database.connection;
    let begun = execute(connection, "BEGIN IMMEDIATE");
    let mut next = Some(first);
    while let Some(job) = next {
        job(Some(&mut *connection), group);
        // SQLite rolls the whole transaction back by itself when, for one, the disk is full.
        // What would follow would then be outside any transaction.
        let room = group.acknowledge.len() < MAX_GROUP && !connection.is_autocommit();
        next = room.then(|| waiting.try_recv().ok()).flatten();
    }
    begun?;
    if connection.is_autocommit() {
        let rolled_back = || StorageError::unavailable("a write was rolled back");
        return Err(group.ended_by.take().unwrap_or_else(rolled_back));
    }
    // After a sync that failed nothing can be said of what was not synced. It is not synced again:
    // SQLite leaves it out of the log's index, and the next commit writes the same place anew.
    execute(connection, "COMMIT").inspect_err(|_| {
        let _ = execute(connection, "ROLLBACK");
    })?;
    database.check_files()
}

fn in_savepoint<T>(
    connection: Option<&mut Connection>,
    group: &mut Group,
    work: impl FnOnce(&mut Write<'_>) -> Result<Ending<T>, StorageError>,
) -> Result<T, StorageError> {
    let in_transaction = connection.filter(|connection| !connection.is_autocommit());
    let Some(connection) = in_transaction else {
        return Err(StorageError::unavailable("no transaction"));
    };
    execute(connection, "SAVEPOINT work")?;
    let mut write = Write::new(connection);
    let outcome = work(&mut write);
    let Write {
        changed,
        everything_changed,
        ..
    } = write;
    match &outcome {
        Ok(Ending::Commit(_)) => {
            group.changed.extend(changed);
            group.everything_changed |= everything_changed;
        }
        Err(error) if connection.is_autocommit() => group.ended_by = Some(error.clone()),
        Ok(Ending::RollBack(_)) | Err(_) => execute(connection, "ROLLBACK TO work")?,
    }
    match execute(connection, "RELEASE work") {
        Err(error) if outcome.is_ok() => Err(error),
        _ => outcome.map(Ending::into_inner),
    }
}

fn execute(connection: &Connection, sql: &str) -> Result<(), StorageError> {
    query::execute(connection, sql, []).map(|_| ())
}
