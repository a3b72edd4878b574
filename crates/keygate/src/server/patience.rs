use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// How long a client may take to send its first bytes.
const FIRST_READ: Duration = Duration::from_secs(10);
/// How long a client may leave what is sent to it unread.
const STALLED_WRITE: Duration = Duration::from_secs(30);

/// A connection that is given up when its client never says anything, or no longer reads. A client
/// that is silent because it waits for an answer is left alone.
pub(super) struct Patience {
    stream: TcpStream,
    /// What is read before anything that comes from now on.
    first: Bytes,
    first_read: Option<Pin<Box<Sleep>>>,
    stalled_write: Option<Pin<Box<Sleep>>>,
    is_unread: Arc<AtomicBool>,
}

impl Patience {
    pub(super) fn with(stream: TcpStream) -> Self {
        Self {
            stream,
            first: Bytes::new(),
            first_read: Some(Box::pin(sleep(FIRST_READ))),
            stalled_write: None,
            is_unread: Arc::default(),
        }
    }

    /// Whether something was to be sent last for which the client has left no room.
    pub(super) fn is_unread(&self) -> Arc<AtomicBool> {
        self.is_unread.clone()
    }

    /// Has bytes that were read already read once more.
    pub(super) fn read_first(&mut self, bytes: Vec<u8>) {
        self.first = bytes.into();
    }

    /// Passes on how a write went, and runs out of patience with one that does not get on.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.is_unread
            .store(written.is_pending(), Ordering::Relaxed);
        if written.is_ready() {
            self.stalled_write = None;
            return written;
        }
        let stalled = self
            .stalled_write
            .get_or_insert_with(|| Box::pin(sleep(STALLED_WRITE)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patience {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.first.is_empty() {
            let length = self.first.len().min(buffer.remaining());
            buffer.put_slice(&self.first.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.first_read = None;
        } else if let Some(first_read) = &mut self.first_read {
            ready!(first_read.as_mut().poll(context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Patience {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::Instant,
    };

    use super::*;

    /// A connection: our end and the client's. Time stands still and jumps to what is waited for.
    async fn connection() -> (Patience, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let client = TcpStream::connect(address).await.expect("it listens");
        let (ours, _) = listener.accept().await.expect("accepted");
        tokio::time::pause();
        (Patience::with(ours), client)
    }

    #[tokio::test]
    async fn a_client_that_never_says_anything_is_given_up_after_10_seconds() {
        let (mut ours, _client) = connection().await;
        let began = Instant::now();
        let error = ours.read_u8().await.expect_err("nothing came");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 10);
    }

    #[tokio::test]
    async fn a_client_that_waits_for_an_answer_is_left_alone() {
        let (mut ours, mut client) = connection().await;
        client.write_all(b"x").await.expect("sent");
        assert_eq!(ours.read_u8().await.expect("a byte"), b'x');
        let silence = tokio::time::timeout(Duration::from_hours(1), ours.read_u8()).await;
        silence.expect_err("it is still there");
    }

    #[tokio::test]
    async fn a_client_that_no_longer_reads_is_given_up_after_30_seconds() {
        let (mut ours, _client) = connection().await;
        let chunk = vec![0; 1 << 20];
        let error = loop {
            if let Err(error) = ours.write_all(&chunk).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
