use std::{path::Path, sync::Arc};

use keygate_storage::StorageError;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::connection::open_reader;

/// Connections for reading. In WAL mode they see the last commit and never wait for the writer.
const CONNECTIONS: usize = 4;

pub(crate) struct Readers {
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

impl Readers {
    pub(crate) fn open(path: &Path) -> Result<Self, StorageError> {
        let connections: Result<Vec<_>, _> = (0..CONNECTIONS).map(|_| open_reader(path)).collect();
        Ok(Self {
            idle: Mutex::new(connections?),
            permits: Semaphore::new(CONNECTIONS),
        })
    }

    /// Runs `work` on a connection, away from the async threads.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let readers = self.clone();
        let _permit = self
            .permits
            .acquire()
            .await
            .map_err(|_| StorageError::Closed)?;
        tokio::task::spawn_blocking(move || {
            let connection = readers.idle.lock().pop().ok_or(StorageError::Closed)?;
            let answer = work(&connection);
            readers.idle.lock().push(connection);
            answer
        })
        .await
        .map_err(|panic| StorageError::Unavailable(panic.to_string()))?
    }

    /// Ends reading: the connections that are idle are closed, those at work when they are done.
    pub(crate) fn close(&self) {
        self.permits.close();
        self.idle.lock().clear();
    }
}
