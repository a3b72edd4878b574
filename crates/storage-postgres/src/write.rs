//! Writing: a transaction each, announced to this process and to the others.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use keygate_core::key::KeyHash;
use keygate_storage::{AuditEntry, ChangeListeners, StorageError};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::{
    audit,
    database::{Borrowed, Database},
};

/// Of how many keys each is named to the other nodes. They take more for all of them.
const MAX_NAMED: usize = 1_000;

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// What a piece of work may do inside its transaction.
pub(crate) struct Write {
    connection: Borrowed,
    issued: Vec<KeyHash>,
    changed: Vec<KeyHash>,
}

impl Write {
    /// Writes an audit entry beside the change that it records.
    pub(crate) async fn audit(&mut self, entry: &AuditEntry) -> Result<(), StorageError> {
        audit::insert(self, entry).await
    }

    /// Notes that what is known of a key is out of date once this is committed.
    pub(crate) fn key_changed(&mut self, hash: KeyHash) {
        self.changed.push(hash);
    }

    /// Notes that there is a new key. Other nodes need not hear of it: before anybody has its secret,
    /// nobody has asked about it.
    pub(crate) fn key_issued(&mut self, hash: KeyHash) {
        self.issued.push(hash);
    }

    /// Commits, having said what has changed. Both are sent as one, so that nobody who then falls silent
    /// holds the lock under which changes are published.
    async fn commit(&mut self) -> Result<(), StorageError> {
        if self.changed.is_empty() {
            return self.connection.end("COMMIT").await;
        }
        let hashes = if self.changed.len() > MAX_NAMED {
            "NULL".to_owned()
        } else {
            let hashes = self.changed.iter();
            let hashes = hashes.map(|hash| format!("decode('{hash:x}', 'hex')"));
            hashes.collect::<Vec<_>>().join(", ")
        };
        let sql = format!("SELECT publish_changes(ARRAY[{hashes}]::bytea[]); COMMIT");
        self.connection.end(AssertSqlSafe(sql)).await
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

/// Runs `work` in a transaction; returns when it is durable and everybody here has been told.
pub(crate) async fn write<T>(
    database: &Database,
    listeners: &Arc<ChangeListeners>,
    work: impl for<'a> FnOnce(&'a mut Write) -> BoxFuture<'a, Result<T, StorageError>>,
) -> Result<T, StorageError> {
    let mut write = Write {
        connection: database.begin(BEGIN).await?,
        issued: Vec::new(),
        changed: Vec::new(),
    };
    let outcome = database.in_time(run(&mut write, work)).await;
    // Even where it is not known what became of it: reading once more is never wrong.
    listeners.keys_changed(&write.issued);
    listeners.keys_changed(&write.changed);
    outcome
}

async fn run<T>(
    write: &mut Write,
    work: impl for<'a> FnOnce(&'a mut Write) -> BoxFuture<'a, Result<T, StorageError>>,
) -> Result<T, StorageError> {
    match work(write).await {
        Ok(outcome) => write.commit().await.map(|()| outcome),
        Err(error) => {
            write.connection.end("ROLLBACK").await?;
            Err(error)
        }
    }
}
