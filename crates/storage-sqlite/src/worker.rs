use std::thread::JoinHandle;

use keygate_storage::StorageError;
use parking_lot::Mutex;
use tokio::sync::mpsc;

/// A thread of its own that works off jobs in the order in which they come.
pub(crate) struct Worker<J> {
    jobs: Mutex<Option<mpsc::Sender<J>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<J: Send + 'static> Worker<J> {
    /// Starts `run` on a thread; it ends when there are no more jobs to receive. So many may wait;
    /// who comes later waits to hand theirs in.
    pub(crate) fn start(
        name: &str,
        max_waiting: usize,
        run: impl FnOnce(mpsc::Receiver<J>) + Send + 'static,
    ) -> Result<Self, StorageError> {
        let (jobs, waiting) = mpsc::channel(max_waiting);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || run(waiting))
            .map_err(StorageError::unavailable)?;
        Ok(Self {
            jobs: Mutex::new(Some(jobs)),
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(crate) async fn send(&self, job: J) -> Result<(), StorageError> {
        let jobs = self.jobs.lock().clone().ok_or(StorageError::Closed)?;
        jobs.send(job).await.map_err(|_| StorageError::Closed)
    }

    /// The same for a thread that may wait.
    pub(crate) fn send_blocking(&self, job: J) -> Result<(), StorageError> {
        let jobs = self.jobs.lock().clone().ok_or(StorageError::Closed)?;
        jobs.blocking_send(job).map_err(|_| StorageError::Closed)
    }

    /// Lets the thread finish what waits, and end.
    pub(crate) async fn close(&self) {
        drop(self.jobs.lock().take());
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            let joined = tokio::task::spawn_blocking(move || thread.join());
            if !matches!(joined.await, Ok(Ok(()))) {
                tracing::error!("the thread {name} ended in a panic");
            }
        }
    }
}
