use std::{
    ops::{Deref, DerefMut},
    path::Path,
    sync::Arc,
};

use keygate_storage::StorageError;
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::connection::OpenReader;

/// Connections for reading. In WAL mode they see the last commit and never wait for the writer.
const CONNECTIONS: usize = 4;

pub(crate) struct Readers {
    idle: Mutex<Idle>,
    permits: Arc<Semaphore>,
}

struct Idle {
    connections: Vec<Connection>,
    /// How often all of them were replaced.
    generation: u64,
}

impl Readers {
    pub(crate) fn open(path: &Path, open: OpenReader) -> Result<Self, StorageError> {
        let idle = Idle {
            connections: connections(path, open)?,
            generation: 0,
        };
        Ok(Self {
            idle: Mutex::new(idle),
            permits: Arc::new(Semaphore::new(CONNECTIONS)),
        })
    }

    /// Has whoever reads from now on do so by new connections.
    pub(crate) fn reopen(&self, path: &Path, open: OpenReader) -> Result<(), StorageError> {
        let connections = connections(path, open)?;
        let mut idle = self.idle.lock();
        idle.generation += 1;
        if !self.permits.is_closed() {
            idle.connections = connections;
        }
        Ok(())
    }

    /// Runs `work` on a connection, away from the async threads. Whoever stops waiting does not
    /// stop the work, so the permit goes with it.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Connection) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| StorageError::Closed)?;
        let mut reader = self.borrow()?;
        tokio::task::spawn_blocking(move || {
            let answer = work(&mut reader);
            drop(reader);
            drop(permit);
            answer
        })
        .await
        .map_err(StorageError::internal)?
    }

    fn borrow(self: &Arc<Self>) -> Result<Borrowed, StorageError> {
        let mut idle = self.idle.lock();
        let connection = idle.connections.pop();
        Ok(Borrowed {
            connection: Some(connection.ok_or(StorageError::Closed)?),
            generation: idle.generation,
            readers: self.clone(),
        })
    }

    /// Ends reading: the connections that are idle are closed, those at work when they are done.
    pub(crate) fn close(&self) {
        self.permits.close();
        self.idle.lock().connections.clear();
    }
}

fn connections(path: &Path, open: OpenReader) -> Result<Vec<Connection>, StorageError> {
    (0..CONNECTIONS).map(|_| open(path)).collect()
}

/// A connection that goes back when it is dropped, also by a panic.
struct Borrowed {
    connection: Option<Connection>,
    generation: u64,
    readers: Arc<Readers>,
}

impl Deref for Borrowed {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
            .as_ref()
            .expect("it is there until the drop")
    }
}

impl DerefMut for Borrowed {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection
            .as_mut()
            .expect("it is there until the drop")
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.readers.permits.is_closed()
        {
            let mut idle = self.readers.idle.lock();
            if idle.generation == self.generation {
                idle.connections.push(connection);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt;

    use super::*;
    use crate::connection::open_reader;

    /// Readers of a new database in a folder that must outlive them.
    fn readers() -> (Arc<Readers>, tempfile::TempDir) {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let path = folder.path().join("keygate.db");
        Connection::open(&path).expect("it is made");
        let readers = Readers::open(&path, open_reader).expect("it opens");
        (Arc::new(readers), folder)
    }

    #[tokio::test]
    async fn reads_that_nobody_waits_for_keep_their_place() {
        let (readers, _folder) = readers();
        let mut gates = Vec::new();
        for _ in 0..CONNECTIONS {
            let (release, released) = mpsc::channel::<()>();
            gates.push(release);
            let given_up = readers.read(move |_| {
                let _ = released.recv();
                Ok(())
            });
            assert!(given_up.now_or_never().is_none(), "it is under way");
        }
        let mut next = Box::pin(readers.read(|_| Ok(7)));
        assert!((&mut next).now_or_never().is_none(), "it waits its turn");
        drop(gates);
        assert_eq!(next.await.expect("it has a connection"), 7);
    }

    #[tokio::test]
    async fn a_read_that_panics_gives_its_connection_back() {
        let (readers, _folder) = readers();
        for _ in 0..=CONNECTIONS {
            let broken = readers.read(|_| -> Result<(), StorageError> { panic!("on purpose") });
            assert!(matches!(broken.await, Err(StorageError::Internal(_))));
        }
        readers.read(|_| Ok(())).await.expect("all are there");
    }
}
