use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use keygate_http::Deadline;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, sleep, sleep_until},
};

use super::{
    head::{Head, MAX_REQUEST, Progress, Request},
    outbox::Outbox,
};

use crate::connector::ConnectError;

/// How long a request's head may take from its first byte.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a body is waited for before it is sent on piece by piece, by others.
const BODY_PATIENCE: Duration = Duration::from_secs(1);
/// How long a connection waits for a last request, or for the rest of its head, once the program is to
/// stop: one may be on its way.
const LAST_CALL: Duration = Duration::from_secs(1);
/// How much room there is for each read.
const READ_SIZE: usize = 8 * 1024;

/// How long it may take to hear that a client refuses what is sent to it, because it has gone.
const KNOCK_TIMEOUT: Duration = Duration::from_millis(250);

/// A client's connection, of which can be found out whether the client is still there. When it is shut down,
/// what the client still sends is passed over for a moment, so that it reads what it was answered.
pub trait ClientStream: AsyncRead + AsyncWrite + Unpin + Send + Sync {
    /// Sends the first byte of whatever is answered. A client that has only ended what it sends waits
    /// for the others; one that has gone refuses it.
    fn knock(&mut self) -> io::Result<()>;

    /// Notes whether a request is under way.
    fn note_used(&mut self, is_used: bool);

    /// Ends once the client has refused something.
    fn refused(&self) -> impl Future<Output = ()> + Send;
}

/// What was read from a client.
#[derive(Default)]
pub(super) struct Inbox {
    buffer: Vec<u8>,
    head: Head,
}

impl Inbox {
    /// The request at its beginning, once [`Client::next_request`] has found one.
    pub(super) fn request(&self) -> Request<'_> {
        self.head.of(&self.buffer)
    }

    /// Forgets that request, which was answered.
    pub(super) fn advance<S>(&mut self, client: &mut Client<'_, S>) {
        self.buffer.drain(..self.head.length());
        self.buffer.append(&mut client.early);
        if self.buffer.is_empty() {
            // What a long request took.
            self.buffer.shrink_to(READ_SIZE);
        }
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    fn progress(&mut self) -> Progress {
        self.head.read(&self.buffer)
    }
}

/// What came next.
pub(super) enum Next {
    Request,
    /// A request that can be answered, and after which it is not known where the next one begins.
    WithoutBody,
    Closed,
    Unusual,
    Ambiguous,
}

/// Why work for a client was not finished.
#[derive(Debug)]
pub(super) enum Interrupted {
    ClientGone,
    TimedOut,
    NotConnected(ConnectError),
    Failed(io::Error),
}

/// A client's connection.
pub(super) struct Client<'a, S> {
    stream: &'a mut S,
    /// What came while the request before was still under way.
    early: Vec<u8>,
    deadline: Deadline,
    keep_alive: Duration,
    /// Whether the program is to stop.
    is_stopping: bool,
    ending: Ending,
}

/// That the client has ended what it sends. It may wait for its answer all the same (RFC 9112 section
/// 9.6), or have gone: that is not to be told before something is sent to it.
#[derive(Default)]
struct Ending {
    came_at: Option<Instant>,
    /// Whether an answer is on its way of which there may be nothing to send for long. A client that
    /// ends what it sends only then is taken for one that has gone.
    is_streaming: bool,
    /// Whether some of the answer was sent.
    is_begun: bool,
}

impl<'a, S> Client<'a, S> {
    /// A connection that the client may leave unused for `keep_alive`.
    pub(super) fn new(stream: &'a mut S, keep_alive: Duration) -> Self {
        Self {
            stream,
            early: Vec::new(),
            deadline: Deadline::after(keep_alive),
            keep_alive,
            is_stopping: false,
            ending: Ending::default(),
        }
    }

    /// Work that is watched may take so long from now.
    pub(super) fn allow(&mut self, duration: Duration) {
        self.deadline.move_to(duration);
    }
}

impl<S: ClientStream> Client<'_, S> {
    /// Reads until a whole request is there. A connection on which there is no whole head ends soon
    /// after `stop`.
    pub(super) async fn next_request(
        &mut self,
        inbox: &mut Inbox,
        mut stop: Pin<&mut impl Future>,
    ) -> Next {
        let mut last = None;
        self.ending.is_streaming = false;
        self.ending.is_begun = false;
        loop {
            let progress = inbox.progress();
            let is_idle = inbox.buffer.is_empty();
            match &progress {
                Progress::Complete => {
                    self.stream.note_used(true);
                    return Next::Request;
                }
                Progress::WithoutBody => {
                    self.stream.note_used(true);
                    return Next::WithoutBody;
                }
                Progress::Unusual => return Next::Unusual,
                Progress::Ambiguous => return Next::Ambiguous,
                Progress::PartialHead if is_idle && self.is_stopping => self.allow(LAST_CALL),
                Progress::PartialHead if is_idle => self.allow(self.keep_alive),
                // Once for each part, however many pieces it comes in.
                part if last.as_ref() == Some(part) => {}
                Progress::PartialHead if self.is_stopping => self.allow(LAST_CALL),
                Progress::PartialHead => self.allow(HEAD_TIMEOUT),
                Progress::PartialBody => self.allow(BODY_PATIENCE),
            }
            inbox.buffer.reserve(READ_SIZE);
            tokio::select! {
                biased;
                read = self.stream.read_buf(&mut inbox.buffer) => match read {
                    Ok(0) | Err(_) => return Next::Closed,
                    Ok(_) => {}
                },
                _ = &mut stop, if progress == Progress::PartialHead && !self.is_stopping => {
                    self.is_stopping = true;
                    last = None;
                    continue;
                }
                () = poll_fn(|context| self.deadline.poll(context)) => {
                    return if progress == Progress::PartialBody { Next::Unusual } else { Next::Closed };
                }
            }
            last = (!is_idle).then_some(progress);
        }
    }

    /// Does work for the client as long as it stays.
    pub(super) async fn accompany<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        if let Poll::Ready(done) = poll_once(work.as_mut()).await {
            return Some(done);
        }
        tokio::select! {
            biased;
            done = work => Some(done),
            () = hear(self.stream, &mut self.early, &mut self.ending) => None,
        }
    }

    /// Does work for the client as long as it stays and the time allows.
    pub(super) async fn watch<T>(
        &mut self,
        work: impl Future<Output = io::Result<T>>,
    ) -> Result<T, Interrupted> {
        tokio::select! {
            biased;
            done = work => done.map_err(Interrupted::Failed),
            () = hear(self.stream, &mut self.early, &mut self.ending) => Err(Interrupted::ClientGone),
            () = poll_fn(|context| self.deadline.poll(context)) => Err(Interrupted::TimedOut),
        }
    }

    /// Looks once more whether the client is there, before something is begun that cannot be undone.
    pub(super) async fn look(&mut self) -> Result<(), Interrupted> {
        {
            let hearing = pin!(hear(self.stream, &mut self.early, &mut self.ending));
            if poll_once(hearing).await.is_ready() {
                return Err(Interrupted::ClientGone);
            }
        }
        let Some(came_at) = self.ending.came_at else {
            return Ok(());
        };
        tokio::select! {
            biased;
            () = self.stream.refused() => Err(Interrupted::ClientGone),
            () = sleep_until(came_at + KNOCK_TIMEOUT) => Ok(()),
        }
    }

    /// Has the client wait for an answer that is there, if it stays. It can make room for another one
    /// meanwhile.
    pub(super) async fn hold_back(&mut self, delay: Duration) -> Option<()> {
        self.stream.note_used(false);
        let stayed = self.accompany(sleep(delay)).await;
        self.stream.note_used(true);
        stayed
    }

    /// Notes that no request is under way.
    pub(super) fn note_unused(&mut self) {
        self.stream.note_used(false);
    }

    /// Notes that an answer is sent of which there may be nothing to send for long.
    pub(super) fn begin_stream(&mut self) {
        self.ending.is_streaming = true;
        self.ending.is_begun = true;
    }

    /// Sends what is in the outbox.
    pub(super) async fn send(&mut self, outbox: &Outbox) -> io::Result<()> {
        self.send_bytes(outbox.bytes()).await
    }

    /// Ends the connection to a client that may still be sending, and is the only one that is waited for.
    pub(super) async fn part(&mut self) {
        self.stream.note_used(false);
        let _ = self.stream.shutdown().await;
    }

    pub(super) async fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }
}

/// Ends when the client goes. What it sends beyond what is kept for later is read when there is room.
async fn hear(stream: &mut impl ClientStream, early: &mut Vec<u8>, ending: &mut Ending) {
    while ending.came_at.is_none() {
        if early.len() >= MAX_REQUEST {
            // That it goes is not seen behind what is not read. With something unread on its side, the system
            // refuses it for the client.
            let knocks = !std::mem::replace(&mut ending.is_begun, true);
            if knocks && stream.knock().is_err() {
                return;
            }
            break;
        }
        match stream.read_buf(early).await {
            Ok(0) if ending.is_streaming => return,
            Ok(0) => {
                ending.came_at = Some(Instant::now());
                if stream.knock().is_err() {
                    return;
                }
            }
            Err(_) => return,
            Ok(_) => {}
        }
    }
    stream.refused().await;
}

async fn poll_once<F: Future>(mut work: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await
}
