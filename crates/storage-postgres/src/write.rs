//! Writing: a transaction each, announced to this process and to the others.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use keygate_core::key::KeyHash;
use keygate_storage::{AuditEntry, ChangeListeners, StorageError, statements};
use sqlx::{PgConnection, query};

use crate::{
    audit,
    database::{Borrowed, Database},
    query::execute,
};

statements! {
    PUBLISH = "SELECT publish_changes($1)";
}

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

    async fn publish(&mut self) -> Result<(), StorageError> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let hashes: Vec<Vec<u8>> = self
            .changed
            .iter()
            .map(|hash| hash.as_bytes().to_vec())
            .collect();
        execute(self, query(PUBLISH).bind(hashes)).await.map(|_| ())
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
    let outcome = match work(write).await {
        Ok(outcome) => write.publish().await.map(|()| outcome),
        Err(error) => Err(error),
    };
    let end = if outcome.is_ok() {
        "COMMIT"
    } else {
        "ROLLBACK"
    };
    write.connection.end(end).await?;
    outcome
}
