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

use http::{Request, Response, Version};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
    rt::Executor,
};
use hyper_util::rt::TokioIo;
use keygate_http::StalledWrite;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::JoinSet,
    time::timeout,
};

use crate::{
    connector::Stream,
    framing::{MAX_HEAD, MAX_READ},
    pool::{Pool, Pooled, Reusable},
    request_body::RequestBody,
};

/// How long a connection may take to become idle after a complete response.
const SETTLING: Duration = Duration::from_secs(1);

/// A connection that takes one request at a time, over HTTP/2 too: so none waits for another's body, and an end is the
/// end of one request only. Dropping it closes it.
pub(crate) struct Connection {
    sender: Sender,
    /// The tasks that read and write: one, and over HTTP/2 another for each body. They end with the connection.
    tasks: Tasks,
    /// Whether the upstream has said something to the request that is under way.
    heard: Arc<AtomicBool>,
}

enum Sender {
    Http1(http1::SendRequest<RequestBody>),
    Http2(http2::SendRequest<RequestBody>),
}

impl Connection {
    /// Speaks HTTP/1.1 or HTTP/2 over a stream, which fails once the upstream takes nothing for
    /// `write_timeout`.
    pub(crate) async fn over(
        stream: Box<dyn Stream>,
        version: Version,
        write_timeout: Duration,
    ) -> Result<Self, hyper::Error> {
        let heard = Arc::<AtomicBool>::default();
        let io = Monitored {
            stream,
            write: StalledWrite::after(write_timeout),
            heard: heard.clone(),
        };
        let io = TokioIo::new(io);
        // Of how it ends whoever has sent a request hears.
        let tasks = Tasks::default();
        let sender = if version == Version::HTTP_2 {
            let (sender, connection) = http2_builder(tasks.clone()).handshake(io).await?;
            tasks.execute(connection);
            Sender::Http2(sender)
        } else {
            let mut builder = http1::Builder::new();
            builder.max_buf_size(MAX_READ);
            let (sender, connection) = builder.handshake(io).await?;
            tasks.execute(connection.with_upgrades());
            Sender::Http1(sender)
        };
        Ok(Self {
            sender,
            tasks,
            heard,
        })
    }

    /// Sends a request, and gives the answer as soon as its head is there.
    pub(crate) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<RequestBody>>> {
        match &mut self.sender {
            Sender::Http1(sender) => sender.try_send_request(request).await,
            Sender::Http2(sender) => sender.try_send_request(request).await,
        }
    }

    fn is_ready(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_ready(),
            Sender::Http2(sender) => sender.is_ready(),
        }
    }

    async fn ready(&mut self) -> Result<(), hyper::Error> {
        match &mut self.sender {
            Sender::Http1(sender) => sender.ready().await,
            Sender::Http2(sender) => sender.ready().await,
        }
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

/// Tasks that belong together.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        let mut tasks = self.0.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async { drop(task.await) });
    }
}

/// As much is read ahead, and as long a head is taken, as over HTTP/1.1.
fn http2_builder(tasks: Tasks) -> http2::Builder<Tasks> {
    let size = |bytes: usize| u32::try_from(bytes).expect("a few KiB");
    let mut builder = http2::Builder::new(tasks);
    builder
        .initial_stream_window_size(size(MAX_READ))
        .initial_connection_window_size(size(MAX_READ))
        .max_header_list_size(size(MAX_HEAD));
    builder
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tasks.0.lock().abort_all();
    }
}

impl Reusable for Connection {
    fn is_quiet(&self) -> bool {
        self.is_ready()
    }
}

/// Keeps a connection whose request was answered, once it is done with it.
pub(crate) fn give_back(
    mut kept: Pooled<Connection>,
    pool: Arc<Pool<Connection>>,
    announced: Option<Duration>,
) {
    if kept.connection.is_ready() {
        pool.give_back(kept, announced);
        return;
    }
    tokio::spawn(async move {
        if let Ok(Ok(())) = timeout(SETTLING, kept.connection.ready()).await {
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
