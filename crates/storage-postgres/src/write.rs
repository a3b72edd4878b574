//! Writing: a transaction each, announced to this process and to the others.

use std::{
    future::pending,
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt, TryFutureExt, future::BoxFuture};
use keygate_core::key::KeyHash;
use keygate_storage::{ChangeListeners, StorageError};
use keygate_storage_sql::Ending;
use sqlx::{AssertSqlSafe, PgConnection, query};
use tokio::time::{self, Instant};

use crate::{
    database::{Borrowed, Database},
    error::{is_worth_repeating, leaves_connection_usable},
    query::exists,
    shares::Purpose,
    statements::statements,
};

/// Of how many keys each is named to the other nodes. They take more for all of them.
const MAX_NAMED: usize = 1_000;

/// Whatever a transaction may do by default.
pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// How often the server is asked whether it is still about a write that it does not answer.
const ASK_EVERY: Duration = Duration::from_secs(1);

statements! {
    /// A role sees the state of its own sessions, whatever it may see of others'.
    IS_BUSY = "SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND state = 'active'";
}

/// What a piece of work may do inside its transaction.
pub(crate) struct Write {
    connection: Borrowed,
    pub(crate) changed: Vec<KeyHash>,
    pub(crate) issued: Vec<KeyHash>,
    everything_changed: bool,
}

impl Write {
    /// Notes that what is known of any key may be out of date once this is committed.
    pub(crate) fn everything_changed(&mut self) {
        self.everything_changed = true;
    }

    /// Commits, having said what has changed. Both are sent as one, so that nobody who then falls silent
    /// holds the lock under which changes are published.
    async fn commit(&mut self) -> Result<(), StorageError> {
        let committed = if self.changed.is_empty() && !self.everything_changed {
            self.connection.end("COMMIT").await
        } else {
            let sql = format!(
                "SELECT publish_changes(ARRAY[{}]::bytea[]); COMMIT",
                self.named()
            );
            self.connection.end(AssertSqlSafe(sql)).await
        };
        match committed {
            Err(error) if leaves_connection_usable(&error) => {
                self.roll_back().await;
                Err(error)
            }
            // It broke off, before or after the server had done it.
            Err(StorageError::Unavailable(cause)) => Err(StorageError::Uncertain(cause)),
            committed => committed,
        }
    }

    fn named(&self) -> String {
        if self.everything_changed || self.changed.len() > MAX_NAMED {
            return "NULL".to_owned();
        }
        let hashes = self.changed.iter();
        let hashes = hashes.map(|hash| format!("decode('{hash:x}', 'hex')"));
        hashes.collect::<Vec<_>>().join(", ")
    }

    /// Where this fails, the connection is thrown away, and the server rolls back.
    async fn roll_back(&mut self) {
        let _ = self.connection.end("ROLLBACK").await;
    }
}

impl Deref for Write {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// Runs `work` in a transaction and keeps what it does, as [`run`].
pub(crate) async fn write<T: Send + 'static>(
    database: &Database,
    listeners: &Arc<ChangeListeners>,
    work: impl for<'a> FnOnce(&'a mut Write) -> BoxFuture<'a, Result<T, StorageError>> + Clone,
) -> Result<T, StorageError> {
    let kept = run(database, listeners, move |write| {
        work(write).map_ok(Ending::Commit).boxed()
    });
    kept.await
}

/// Runs `work` in a transaction; returns when it is durable and everybody here has been told. Where `work`
/// fails or says so, nothing of it is kept.
///
/// Where the server has it give way to another transaction, it is run once more from the beginning.
pub(crate) async fn run<T>(
    database: &Database,
    listeners: &Arc<ChangeListeners>,
    work: impl for<'a> FnOnce(&'a mut Write) -> BoxFuture<'a, Result<Ending<T>, StorageError>> + Clone,
) -> Result<T, StorageError> {
    match attempt(database, listeners, work.clone()).await {
        Err(error) if is_worth_repeating(&error) => attempt(database, listeners, work).await,
        done => done,
    }
}

async fn attempt<T>(
    database: &Database,
    listeners: &Arc<ChangeListeners>,
    work: impl for<'a> FnOnce(&'a mut Write) -> BoxFuture<'a, Result<Ending<T>, StorageError>>,
) -> Result<T, StorageError> {
    let begun = database.begin_for(Purpose::Write, BEGIN);
    let mut write = Write {
        connection: database.in_time(begun).await?,
        changed: Vec::new(),
        issued: Vec::new(),
        everything_changed: false,
    };
    // From here on, for the wait for one's turn says nothing about the server.
    let deadline = database.deadline();
    match time::timeout_at(deadline, work(&mut write)).await {
        Ok(Ok(Ending::Commit(outcome))) => {
            let committed = commit(database, listeners, write, deadline).await;
            committed.map(|()| outcome)
        }
        Ok(Ok(Ending::RollBack(outcome))) => {
            roll_back(database, write).await;
            Ok(outcome)
        }
        Ok(Err(error)) => {
            if leaves_connection_usable(&error) {
                roll_back(database, write).await;
            }
            Err(error)
        }
        Err(_) => {
            // Whatever the server is about, it ends by itself, without a commit.
            let backend = write.connection.backend();
            let place = write.connection.abandon();
            outlast(database, backend, async move {
                let _place = place;
                pending::<()>().await;
            });
            Err(StorageError::unavailable(database.silence()))
        }
    }
}

async fn roll_back(database: &Database, mut write: Write) {
    let rolled_back = write.roll_back().map(Ok);
    let _: Result<(), StorageError> = database.in_time(rolled_back).await;
}

/// Commits. A commit that is not answered in time keeps its connection until it is, and can't be
/// called off: the server may have done it, and wait for a standby to say that it has it as well.
async fn commit(
    database: &Database,
    listeners: &Arc<ChangeListeners>,
    mut write: Write,
    deadline: Instant,
) -> Result<(), StorageError> {
    let backend = write.connection.backend();
    let hashes = [&write.changed[..], &write.issued].concat();
    let listeners = listeners.clone();
    let everything_changed = write.everything_changed;
    let tell = move || {
        if everything_changed {
            listeners.everything_changed();
        }
        listeners.keys_changed(&hashes);
    };
    let mut committed = async move { write.commit().await }.boxed();
    let outcome = time::timeout_at(deadline, &mut committed).await;
    // Even where it is not known what became of it: reading once more is never wrong.
    tell();
    outcome.unwrap_or_else(|_| {
        outlast(database, backend, async move {
            let _ = committed.await;
            tell();
        });
        Err(StorageError::Uncertain(database.silence().into()))
    })
}

/// Waits for the end of a write that is not answered in time: its answer, or the server's word that it
/// is no longer about it. Until then it takes up a place among the writes, so that however many are
/// asked for, no more sessions than these hang on the server.
fn outlast(
    database: &Database,
    backend: Option<i32>,
    answer: impl Future<Output = ()> + Send + 'static,
) {
    let overdue = database.shares().overdue();
    let database = database.clone();
    tokio::spawn(async move {
        let closed = database.pool().close_event();
        tokio::select! {
            () = answer => {}
            () = end_of(&database, backend) => {}
            () = closed => {}
        }
        drop(overdue);
    });
}

/// Waits until the server says that a session of it is no longer at work, or is not there.
async fn end_of(database: &Database, backend: Option<i32>) {
    loop {
        time::sleep(ASK_EVERY).await;
        let busy = database.read(|db| exists(db, query(IS_BUSY).bind(backend)).boxed());
        if matches!(busy.await, Ok(false)) {
            return;
        }
    }
}
