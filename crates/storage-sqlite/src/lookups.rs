//! The one thread that looks keys up.
//!
//! Such a look-up takes some microseconds, less than it costs to borrow a thread for it, and a
//! request waits for it. So they have a thread and a connection of their own, and wait for no other
//! reader. Each reads by itself: a snapshot that began before the question could be too old.

use std::{path::Path, thread::JoinHandle};

use keygate_core::{Credential, key::KeyHash};
use keygate_storage::StorageError;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::{connection::open_reader, keys::lookup_credential};

/// How many questions may wait; who comes later waits to ask.
const MAX_WAITING: usize = 1_024;

type Found = Result<Option<Credential>, StorageError>;

struct Question {
    hash: KeyHash,
    reply: oneshot::Sender<Found>,
}

pub(crate) struct Lookups {
    questions: Mutex<Option<mpsc::Sender<Question>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Lookups {
    pub(crate) fn start(path: &Path) -> Result<Self, StorageError> {
        let connection = open_reader(path)?;
        let (questions, waiting) = mpsc::channel(MAX_WAITING);
        let thread = std::thread::Builder::new()
            .name("keygate-lookup".into())
            .spawn(move || run(&connection, waiting))
            .map_err(|error| StorageError::Unavailable(error.to_string()))?;
        Ok(Self {
            questions: Mutex::new(Some(questions)),
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(crate) async fn credential(&self, hash: KeyHash) -> Found {
        let questions = self.questions.lock().clone().ok_or(StorageError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let asked = questions.send(Question { hash, reply }).await;
        asked.map_err(|_| StorageError::Closed)?;
        answer.await.map_err(|_| StorageError::Closed)?
    }

    /// Lets the thread finish what waits and close its connection.
    pub(crate) async fn close(&self) {
        drop(self.questions.lock().take());
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join());
            if !matches!(joined.await, Ok(Ok(()))) {
                tracing::error!("the thread that looks keys up ended in a panic");
            }
        }
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
