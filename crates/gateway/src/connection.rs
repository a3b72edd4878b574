//! A connection to an upstream, driven by the HTTP library.

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

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use keygate_http::StalledWrite;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::AbortHandle,
    time::timeout,
};

use crate::{
    connector::Stream,
    framing::MAX_READ,
    pool::{Pool, Pooled, Reusable},
    request_body::RequestBody,
};

/// How long a connection may take to become idle after a complete response.
const SETTLING: Duration = Duration::from_secs(1);

/// A connection that takes one request at a time. Dropping it closes it.
pub(crate) struct Connection {
    pub(crate) sender: http1::SendRequest<RequestBody>,
    /// The task that reads and writes.
    driver: AbortHandle,
    /// Whether the upstream has said something to the request that is under way.
    heard: Arc<AtomicBool>,
}

impl Connection {
    /// Speaks HTTP/1.1 over a stream, which fails once the upstream takes nothing for
    /// `write_timeout`.
    pub(crate) async fn over(
        stream: Box<dyn Stream>,
        write_timeout: Duration,
    ) -> Result<Self, hyper::Error> {
        let heard = Arc::<AtomicBool>::default();
        let io = Monitored {
            stream,
            write: StalledWrite::after(write_timeout),
            heard: heard.clone(),
        };
        let mut builder = http1::Builder::new();
        builder.max_buf_size(MAX_READ);
        let (sender, connection) = builder.handshake(TokioIo::new(io)).await?;
        let driver = tokio::spawn(async move {
            // Whoever has sent a request hears of it.
            let _ = connection.with_upgrades().await;
        });
        Ok(Self {
            sender,
            driver: driver.abort_handle(),
            heard,
        })
    }

    /// Forgets that the upstream has sent anything so far.
    pub(crate) fn begin(&self) {
        self.heard.store(false, Ordering::Relaxed);
    }

    /// Whether the upstream has sent anything since.
    pub(crate) fn has_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Reusable for Connection {
    fn is_quiet(&self) -> bool {
        self.sender.is_ready()
    }
}

/// Keeps a connection whose request was answered, once it is done with it.
pub(crate) fn give_back(
    mut kept: Pooled<Connection>,
    pool: Arc<Pool<Connection>>,
    announced: Option<Duration>,
) {
    if kept.connection.sender.is_ready() {
        pool.give_back(kept, announced);
        return;
    }
    tokio::spawn(async move {
        if let Ok(Ok(())) = timeout(SETTLING, kept.connection.sender.ready()).await {
            pool.give_back(kept, announced);
        }
    });
}

/// A stream that records whether anything arrived, and whose writes have a timeout.
struct Monitored {
    stream: Box<dyn Stream>,
    write: StalledWrite,
    heard: Arc<AtomicBool>,
}

impl AsyncRead for Monitored {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > filled {
            self.heard.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Monitored {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.write.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.write.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.write.watch(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
