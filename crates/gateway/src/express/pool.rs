use std::{io, time::Duration};

use parking_lot::Mutex;
use tokio::{net::TcpStream, time::Instant};

/// How long an idle connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// How many idle connections are kept.
const MAX_IDLE: usize = 1_024;

/// Connections to one upstream that wait for their next request.
#[derive(Default)]
pub(crate) struct Pool {
    idle: Mutex<Vec<(TcpStream, Instant)>>,
}

impl Pool {
    /// The connection that was used last and is still good.
    pub(super) fn take(&self) -> Option<TcpStream> {
        loop {
            let (stream, since) = self.idle.lock().pop()?;
            if is_quiet(&stream) && since.elapsed() < IDLE_TIMEOUT {
                return Some(stream);
            }
        }
    }

    /// Closes the connections that have waited too long, or were closed by the upstream.
    pub(crate) fn sweep(&self) {
        let is_good = |stream: &TcpStream, since: &Instant| {
            is_quiet(stream) && since.elapsed() < IDLE_TIMEOUT
        };
        self.idle
            .lock()
            .retain(|(stream, since)| is_good(stream, since));
    }

    pub(super) fn give_back(&self, stream: TcpStream) {
        let mut idle = self.idle.lock();
        if idle.len() == MAX_IDLE {
            idle.remove(0);
        }
        idle.push((stream, Instant::now()));
    }
}

/// Whether nothing came: neither an end nor an answer that nobody asked for.
fn is_quiet(stream: &TcpStream) -> bool {
    let read = stream.try_read(&mut [0]);
    read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}
