//! The one thread that looks keys up.
//!
//! Such a look-up takes some microseconds, less than it costs to borrow a thread for it, and a
//! request waits for it. So they have a thread and a connection of their own, and wait for no other
//! reader. Each reads by itself: a snapshot that began before the question could be too old.

use std::path::Path;

use keygate_core::{Credential, key::KeyHash};
use keygate_storage::StorageError;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::{connection::open_reader, keys::lookup_credential, worker::Worker};

/// How many questions may wait; who comes later waits to ask.
const MAX_WAITING: usize = 1_024;

type Found = Result<Option<Credential>, StorageError>;

struct Question {
    hash: KeyHash,
    reply: oneshot::Sender<Found>,
}

pub(crate) struct Lookups {
    worker: Worker<Question>,
}

impl Lookups {
    pub(crate) fn start(path: &Path) -> Result<Self, StorageError> {
        let connection = open_reader(path)?;
        let run = move |waiting| run(&connection, waiting);
        Ok(Self {
            worker: Worker::start("keygate-lookup", MAX_WAITING, run)?,
        })
    }

    pub(crate) async fn credential(&self, hash: KeyHash) -> Found {
        let (reply, answer) = oneshot::channel();
        self.worker.send(Question { hash, reply }).await?;
        answer.await.map_err(|_| StorageError::Closed)?
    }

    /// Lets the thread finish what waits and close its connection.
    pub(crate) async fn close(&self) {
        self.worker.close().await;
    }
}

fn run(connection: &Connection, mut waiting: mpsc::Receiver<Question>) {
    while let Some(Question { hash, reply }) = waiting.blocking_recv() {
        // Whoever no longer waits needs no answer.
        if !reply.is_closed() {
            let _ = reply.send(lookup_credential(connection, hash));
        }
    }
}
