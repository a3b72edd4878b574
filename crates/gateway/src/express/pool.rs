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

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt, net::TcpListener, time::advance};

    use super::*;

    /// A connection: ours, and the upstream's end of it.
    async fn connection(listener: &TcpListener) -> (TcpStream, TcpStream) {
        let address = listener.local_addr().expect("an address");
        let ours = TcpStream::connect(address).await.expect("it listens");
        let (theirs, _) = listener.accept().await.expect("accepted");
        (ours, theirs)
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_fresh_and_quiet_is_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let pool = Pool::default();
        let (old, _old) = connection(&listener).await;
        pool.give_back(old);
        advance(IDLE_TIMEOUT).await;
        let (closed, theirs) = connection(&listener).await;
        drop(theirs);
        let (talkative, mut theirs) = connection(&listener).await;
        theirs.write_all(b"x").await.expect("sent");
        for stream in [&closed, &talkative] {
            stream.readable().await.expect("something comes");
        }
        let (good, _good) = connection(&listener).await;
        let kept = good.local_addr().expect("an address");
        for stream in [closed, good, talkative] {
            pool.give_back(stream);
        }
        pool.sweep();
        assert_eq!(pool.idle.lock().len(), 1);
        let taken = pool.take().expect("the good one");
        assert_eq!(taken.local_addr().expect("an address"), kept);
        assert!(pool.take().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_went_bad_is_not_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let pool = Pool::default();
        let (ours, theirs) = connection(&listener).await;
        drop(theirs);
        ours.readable().await.expect("its end comes");
        pool.give_back(ours);
        assert!(pool.take().is_none());
    }
}
