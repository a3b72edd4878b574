//! A WebSocket between a client and its upstream.

use std::{io, sync::Arc, time::Duration};

use bytes::{Buf, BytesMut};
use http::Response;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use keygate_core::Problem;
use keygate_http::{ErrorResponse, status_of};
use keygate_verify::{HeldKey, Refusal};
use parking_lot::Mutex;
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, sink, split},
    sync::watch,
    time::timeout,
};

use super::frames::{Frames, Sender, close, text};
use crate::{connection::Connection, pool::Pooled, streams::OpenStream};

/// How much is read at a time.
const READ_SIZE: usize = 16 * 1024;
/// How long the rest of a frame or of a message is waited for before a socket is ended all the same.
const REST_OF_FRAME: Duration = Duration::from_millis(250);
/// How long either side may take to hear that the socket has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long one direction may go on once the other has ended.
const HALF_OPEN: Duration = Duration::from_secs(5);

/// RFC 6455 section 7.4.1.
const GOING_AWAY: u16 = 1001;
const POLICY_VIOLATION: u16 = 1008;
/// Registered with IANA: the client may come again.
const TRY_AGAIN_LATER: u16 = 1013;

/// A socket that was let in, and begins once its client has read so.
pub struct Tunnel {
    pub(crate) client: OnUpgrade,
    pub(crate) upstream: Upgraded,
    /// Counts among the connections to upstreams.
    pub(crate) _connection: Pooled<Connection>,
    pub(crate) key: HeldKey,
    /// Whether the client reads events of `OpenAI`'s APIs, and is told why by one of them.
    pub(crate) has_events: bool,
    pub(crate) _open: OpenStream,
}

/// A [`Tunnel`] among the extensions of the response that accepts it.
#[derive(Clone)]
struct Prepared(Arc<Mutex<Option<Tunnel>>>);

/// Why a socket ends before either side ends it.
struct Verdict {
    code: u16,
    problem: Option<Problem>,
}

impl Tunnel {
    /// Has whoever sends the response run the tunnel.
    pub(crate) fn put_into<B>(self, response: &mut Response<B>) {
        let prepared = Prepared(Arc::new(Mutex::new(Some(self))));
        response.extensions_mut().insert(prepared);
    }

    /// The tunnel that a response begins, if it does.
    pub fn take_from<B>(response: &mut Response<B>) -> Option<Self> {
        let Prepared(tunnel) = response.extensions_mut().remove()?;
        tunnel.lock().take()
    }

    /// Passes on what either side sends, until one of them ends the socket, its key no longer opens it, or
    /// `draining` changes.
    pub async fn run(self, draining: watch::Receiver<()>) {
        let Ok(client) = self.client.await else {
            return;
        };
        let (from_client, to_client) = split(TokioIo::new(client));
        let (from_upstream, to_upstream) = split(TokioIo::new(self.upstream));
        let mut up = Direction::new(from_client, to_upstream);
        let mut down = Direction::new(from_upstream, to_client);
        let verdict = judge(self.key.clone(), draining);
        let verdict = tokio::select! {
            biased;
            verdict = verdict => verdict,
            verdict = up.pass_while_open(&self.key) => match verdict {
                Some(verdict) => verdict,
                None => return drop(timeout(HALF_OPEN, down.pass()).await),
            },
            _ = down.pass() => return drop(timeout(HALF_OPEN, up.pass_while_open(&self.key)).await),
        };
        down.end(&verdict, self.has_events).await;
        up.close(Sender::Client, &verdict).await;
        // Whatever the client still sends: a connection that is closed before would be reset, and the client might
        // never read why.
        let _ = timeout(LAST_WORDS, copy(&mut up.from, &mut sink())).await;
    }
}

/// Ends once the socket has to.
async fn judge(mut key: HeldKey, mut draining: watch::Receiver<()>) -> Verdict {
    tokio::select! {
        refusal = key.refused() => Verdict::from(&refusal),
        _ = draining.changed() => Verdict { code: GOING_AWAY, problem: None },
    }
}

impl From<&Refusal> for Verdict {
    fn from(refusal: &Refusal) -> Self {
        let code = match refusal {
            Refusal::Denied(_) => POLICY_VIOLATION,
            Refusal::Unavailable(_) | Refusal::TooMany(_) => TRY_AGAIN_LATER,
        };
        Self {
            code,
            problem: Some(Problem::from(refusal)),
        }
    }
}

impl Verdict {
    fn word(&self) -> &'static str {
        self.problem
            .as_ref()
            .map_or("server_stopping", |problem| problem.code.as_str())
    }

    /// An event as `OpenAI`'s APIs write errors: that of responses says the status, too.
    fn event(&self) -> Option<Vec<u8>> {
        let problem = self.problem.as_ref()?;
        let error = json!(ErrorResponse::from(problem));
        let event =
            json!({"type": "error", "status": status_of(problem.code), "error": error["error"]});
        Some(text(event.to_string().as_bytes()))
    }
}

/// What one side sends to the other.
struct Direction<R, W> {
    from: R,
    to: W,
    unsent: BytesMut,
    frames: Frames,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Direction<R, W> {
    fn new(from: R, to: W) -> Self {
        Self {
            from,
            to,
            unsent: BytesMut::new(),
            frames: Frames::default(),
        }
    }

    /// Reads what comes, unless something waits to be sent. Whether there is anything.
    async fn read(&mut self) -> io::Result<bool> {
        if self.unsent.is_empty() {
            self.unsent.reserve(READ_SIZE);
            return Ok(self.from.read_buf(&mut self.unsent).await? > 0);
        }
        Ok(true)
    }

    /// Sends some of what was read. Nothing is lost where the future is dropped.
    async fn write(&mut self) -> io::Result<()> {
        let sent = self.to.write(&self.unsent).await?;
        if sent == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.frames.follow(&self.unsent[..sent]);
        self.unsent.advance(sent);
        if self.unsent.is_empty() {
            self.to.flush().await?;
        }
        Ok(())
    }

    /// Passes on what comes until that ends.
    async fn pass(&mut self) -> io::Result<()> {
        while self.read().await? {
            self.write().await?;
        }
        self.to.shutdown().await
    }

    /// The same, where nothing passes that comes after the key has been refused: the refusal.
    async fn pass_while_open(&mut self, key: &HeldKey) -> Option<Verdict> {
        while let Ok(true) = self.read().await {
            if let Err(refusal) = key.confirm().await {
                return Some(Verdict::from(&refusal));
            }
            self.write().await.ok()?;
        }
        let _ = self.to.shutdown().await;
        None
    }

    /// Passes on the rest of what is under way, if that comes soon.
    async fn pass_until(&mut self, is_gap: fn(&Frames) -> bool) {
        let rest = async {
            while !is_gap(&self.frames) && self.read().await? {
                // By the byte, so that the gap is not missed.
                let first = self.unsent.split_to(1);
                self.to.write_all(&first).await?;
                self.frames.follow(&first);
            }
            self.to.flush().await
        };
        let _: Result<io::Result<()>, _> = timeout(REST_OF_FRAME, rest).await;
    }

    /// Tells a client why its socket ends.
    async fn end(&mut self, verdict: &Verdict, has_events: bool) {
        self.pass_until(Frames::is_between_messages).await;
        self.pass_until(Frames::is_between_frames).await;
        if has_events
            && self.frames.is_between_messages()
            && let Some(event) = verdict.event()
        {
            let _ = timeout(LAST_WORDS, self.to.write_all(&event)).await;
        }
        self.close(Sender::Server, verdict).await;
    }

    /// Ends a socket, in words where there is room for them.
    async fn close(&mut self, sender: Sender, verdict: &Verdict) {
        let last_words = async {
            if self.frames.is_between_frames() {
                let close = close(sender, verdict.code, verdict.word());
                self.to.write_all(&close).await?;
            }
            self.to.shutdown().await
        };
        let _: Result<io::Result<()>, _> = timeout(LAST_WORDS, last_words).await;
    }
}
