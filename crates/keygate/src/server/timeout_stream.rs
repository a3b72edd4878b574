use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::Version;
use keygate_gateway::ClientStream;
use keygate_http::StalledWrite;
use rustix::net::sockopt::{set_socket_keepalive, set_tcp_keepidle};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep, timeout_at},
};

use super::{
    activity::{Activity, HEAD_TIMEOUT, READER_TIMEOUT},
    crowd::Seat,
    farewell::{Farewell, Knock, has_ended},
    refusal::{Parting, Refusals},
};

/// How long a client may take to send its first bytes.
const FIRST_READ: Duration = Duration::from_secs(10);
/// After how long a silence the system asks a client whether it is still there.
const PROBE_AFTER: Duration = Duration::from_mins(1);
/// What every HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection that is given up when its client never says anything, or no longer reads. A client
/// that is silent because it waits for an answer is left alone.
pub(super) struct TimeoutStream {
    stream: TcpStream,
    /// What is read before anything that comes from now on.
    first: Bytes,
    first_read: Option<Pin<Box<Sleep>>>,
    /// When the first bytes came.
    began: Option<Instant>,
    stalled_write: StalledWrite,
    knock: Knock,
    /// Who is told of what comes.
    activity: Option<Arc<Activity>>,
    seat: Seat,
    /// Whether the client has gone, where the HTTP library does not look.
    farewell: Farewell,
    /// Who says why what came cannot be read.
    refusals: Option<Arc<Refusals>>,
    parting: Parting,
}

impl TimeoutStream {
    /// A connection that was just accepted.
    pub(super) fn accepted(stream: TcpStream, seat: Seat) -> Self {
        let _ = stream.set_nodelay(true);
        // A client that vanished without a word is found out where nothing else would tell.
        let _ = set_socket_keepalive(&stream, true);
        let _ = set_tcp_keepidle(&stream, PROBE_AFTER);
        Self {
            stream,
            first: Bytes::new(),
            first_read: Some(Box::pin(sleep(FIRST_READ))),
            began: None,
            stalled_write: StalledWrite::after(READER_TIMEOUT),
            knock: Knock::default(),
            activity: None,
            seat,
            farewell: Farewell::default(),
            refusals: None,
            parting: Parting::default(),
        }
    }

    /// Has what comes from now on noted, that was read already included.
    pub(super) fn report_to(&mut self, activity: Arc<Activity>) {
        activity.note_bytes(&self.first);
        self.seat.follow(activity.clone());
        self.activity = Some(activity);
    }

    /// Has it said why what comes from now on cannot be read, where that is so.
    pub(super) fn explain_by(&mut self, refusals: Arc<Refusals>) {
        self.refusals = Some(refusals);
    }

    /// Whether these bytes are a refusal of the HTTP library's own, in the place of which more is said.
    fn refuses(&mut self, bytes: &[u8]) -> bool {
        let (Some(activity), Some(refusals)) = (&self.activity, &self.refusals) else {
            return false;
        };
        if !activity.is_settled() {
            return false;
        }
        let instead = refusals.instead_of(bytes, activity.refuse());
        let is_refusal = instead.is_some();
        self.parting.say(instead.unwrap_or_default());
        is_refusal
    }

    /// Sends what is said in the place of something else.
    fn poll_parting(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = self.parting.poll_send(context, &mut self.stream);
        self.watch(context, sent)
    }

    /// Whether the first bytes are those of HTTP/2 (RFC 9113 section 3.4). They have as long as a head
    /// has, whoever has read the first of them.
    pub(super) async fn begins_http2(&mut self) -> io::Result<bool> {
        let deadline = self.began.unwrap_or_else(Instant::now) + HEAD_TIMEOUT;
        let mut bytes = std::mem::take(&mut self.first).to_vec();
        let reading = async {
            while bytes.len() < PREFACE.len() && PREFACE.starts_with(&bytes) {
                if self.read_buf(&mut bytes).await? == 0 {
                    break;
                }
            }
            Ok::<_, io::Error>(())
        };
        timeout_at(deadline, reading).await??;
        let is_http2 = bytes.starts_with(PREFACE);
        self.first = bytes.into();
        Ok(is_http2)
    }

    /// Has bytes that were read already read once more.
    pub(super) fn read_first(&mut self, bytes: Vec<u8>) {
        self.first = bytes.into();
    }

    /// Passes on how a write went, and fails one that does not get on for too long.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let is_pending = written.is_pending();
        if let Some(activity) = &self.activity {
            activity.note_unsent(is_pending);
        } else if is_pending != self.stalled_write.is_stalled() {
            self.seat.note(!is_pending);
        }
        self.stalled_write.watch(context, written)
    }

    /// How many bytes of what is to be sent have been sent already, to find out whether the client is
    /// there.
    fn poll_knocked(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<usize>>> {
        if self.knock.is_silent() {
            return Poll::Ready(Ok(None));
        }
        let settled = self.knock.poll_settle(context, &mut self.stream);
        self.watch(context, settled)
    }

    fn read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            if self.first_read.take().is_some() {
                self.began = Some(Instant::now());
            }
            if let Some(activity) = &self.activity {
                activity.note_bytes(&buffer.filled()[filled..]);
            }
        } else if let Some(first_read) = &mut self.first_read {
            ready!(first_read.as_mut().poll(context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl ClientStream for TimeoutStream {
    fn knock(&mut self) -> io::Result<()> {
        self.knock.send(&self.stream, Version::HTTP_11)
    }

    fn note_used(&mut self, is_used: bool) {
        self.seat.note(is_used);
    }

    async fn refused(&self) {
        // That it cannot be found out is no sign of life either.
        let _ = self.stream.ready(Interest::ERROR).await;
    }
}

impl AsyncRead for TimeoutStream {
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
        let this = &mut *self;
        let Some(activity) = this.activity.clone() else {
            return this.read(context, buffer);
        };
        if !this.farewell.is_withheld() {
            let filled = buffer.filled().len();
            let read = this.read(context, buffer);
            this.farewell.note_read(read.is_ready());
            let is_there = read.is_pending() || !has_ended(context, &this.stream);
            activity.presence().note_seen(is_there);
            let is_end = matches!(read, Poll::Ready(Ok(()))) && buffer.filled().len() == filled;
            if !(is_end && buffer.remaining() > 0 && activity.outlives_end()) {
                return read;
            }
            this.farewell
                .withhold(&this.stream, &mut this.knock, &activity)?;
        }
        if !activity.is_under_way() {
            return Poll::Ready(Ok(()));
        }
        this.farewell.poll_ended(context, &this.stream, &activity)
    }
}

impl AsyncWrite for TimeoutStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(sent) = ready!(self.poll_knocked(context))? {
            return Poll::Ready(Ok(sent));
        }
        if self.refuses(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(sent) = ready!(self.poll_knocked(context))? {
            return Poll::Ready(Ok(sent));
        }
        if let [only] = slices
            && self.refuses(only)
        {
            return Poll::Ready(Ok(only.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.poll_parting(context))?;
        if let Some(activity) = &this.activity {
            activity.note_sent();
            activity.presence().end_turn();
            let farewell = &mut this.farewell;
            let unread = farewell.poll_unread(context, &this.stream, &mut this.knock, activity);
            if unread.is_ready() {
                return unread;
            }
        }
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.poll_parting(context))?;
        ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        let activity = this.activity.as_ref();
        if activity.is_none_or(|activity| activity.leaves_unread()) {
            ready!(this.parting.poll_linger(context, &mut this.stream));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// A connection: our end and the client's. Time stands still and jumps to what is waited for.
    async fn connection() -> (TimeoutStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let client = TcpStream::connect(address).await.expect("it listens");
        let (ours, _) = listener.accept().await.expect("accepted");
        tokio::time::pause();
        let seat = Seat::idle(Instant::now());
        (TimeoutStream::accepted(ours, seat), client)
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
    async fn half_of_http2s_first_words_are_waited_for_no_longer_than_a_head() {
        for (sent, expected) in [
            (&PREFACE[..16], None),
            (&PREFACE[..23], None),
            (b"P", None),
            (PREFACE, Some(true)),
            (b"PRI * HTTP/2.1", Some(false)),
            (b"POST / HTTP/1.1", Some(false)),
        ] {
            let (mut ours, mut client) = connection().await;
            client.write_all(sent).await.expect("sent");
            assert_eq!(ours.begins_http2().await.ok(), expected, "{sent:?}");
            tokio::time::resume();
        }
    }

    #[tokio::test]
    async fn who_reads_http2s_first_words_first_gives_them_no_more_time() {
        let (mut ours, mut client) = connection().await;
        client.write_all(&PREFACE[..16]).await.expect("sent");
        let mut read = vec![0; 16];
        ours.read_exact(&mut read).await.expect("it was sent");
        let began = Instant::now();
        tokio::time::advance(Duration::from_secs(9)).await;
        ours.read_first(read);
        assert!(ours.begins_http2().await.is_err());
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
