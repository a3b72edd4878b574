//! The one thread that looks keys up.
//!
//! Such a look-up takes some microseconds, less than it costs to borrow a thread for it, and a
//! request waits for it. So they have a thread and a connection of their own, and wait for no other
//! reader. Each reads by itself: a snapshot that began before the question could be too old.

use std::path::Path;

use keygate_core::{Credential, key::KeyHash};
use keygate_storage::StorageError;
use keygate_storage_sql::lookup_credential;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::{
    connection::OpenReader,
    tx::{Reading, at_once},
    worker::Worker,
};

/// How many questions may wait; who comes later waits to ask.
const MAX_WAITING: usize = 1_024;

type Found = Result<Option<Credential>, StorageError>;

enum Job {
    LookUp {
        hash: KeyHash,
        reply: oneshot::Sender<Found>,
    },
    /// From now on looks keys up by this connection.
    Reopen(Connection),
}

pub(crate) struct Lookups {
    worker: Worker<Job>,
}

impl Lookups {
    pub(crate) fn start(path: &Path, open: OpenReader) -> Result<Self, StorageError> {
        let connection = open(path)?;
        let run = move |waiting| run(connection, waiting);
        Ok(Self {
            worker: Worker::start("keygate-lookup", MAX_WAITING, run)?,
        })
    }

    pub(crate) async fn credential(&self, hash: KeyHash) -> Found {
        let (reply, answer) = oneshot::channel();
        self.worker.send(Job::LookUp { hash, reply }).await?;
        answer.await.map_err(|_| StorageError::Closed)?
    }

    /// Has keys that are asked for from now on looked up by a new connection.
    pub(crate) fn reopen(&self, path: &Path, open: OpenReader) -> Result<(), StorageError> {
        self.worker.send_blocking(Job::Reopen(open(path)?))
    }

    /// Lets the thread finish what waits and close its connection.
    pub(crate) async fn close(&self) {
        self.worker.close().await;
    }
}

fn run(mut connection: Connection, mut waiting: mpsc::Receiver<Job>) {
    while let Some(job) = waiting.blocking_recv() {
        match job {
            // Whoever no longer waits needs no answer.
            Job::LookUp { hash, reply } if !reply.is_closed() => {
                let mut reading = Reading(&mut connection);
                let _ = reply.send(at_once(lookup_credential(&mut reading, hash)));
            }
            Job::LookUp { .. } => {}
            Job::Reopen(new) => connection = new,
        }
    }
}
