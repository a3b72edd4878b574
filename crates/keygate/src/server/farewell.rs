//! Whether a client has gone, where nothing that it sent says so.
//!
//! One that has ended what it sends may wait for its answer all the same (RFC 9112 section 9.6), and one
//! whose upload is not taken cannot say anything. But whoever has gone refuses what is sent to it. So the
//! beginning of whatever is answered is sent, a byte at a time: for one who waits it is nothing but that.

use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use http::Version;
use tokio::{
    io::{AsyncWrite, Interest},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

use super::activity::Activity;

/// What every answer begins with, and what then makes an interim one of it (RFC 9110 section 15.2).
const INTERIM: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// How much of that every answer begins with.
const COMMON: usize = b"HTTP/1.1 ".len();
/// How much of it one to a client of HTTP/1.0 begins with.
const COMMON_TO_10: usize = b"HTTP/1.".len();

/// How long a client may be in doubt.
const DOUBT: Duration = Duration::from_millis(250);
/// How often it is looked whether a client in doubt has refused something, and one that is not.
const LOOK_SOON: Duration = Duration::from_millis(25);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How much of an answer was sent before there is one.
#[derive(Default)]
pub(super) struct Knock(usize);

impl Knock {
    pub(super) fn is_silent(&self) -> bool {
        self.0 == 0
    }

    /// Sends one byte more, if there is room, and if that is how answers to this version begin.
    pub(super) fn send(&mut self, stream: &TcpStream, version: Version) -> io::Result<()> {
        if version == Version::HTTP_10 && self.0 == COMMON_TO_10 {
            return Ok(());
        }
        match stream.try_write(&INTERIM[self.0..=self.0]) {
            Ok(sent) => self.0 = (self.0 + sent) % INTERIM.len(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Makes something whole of what was sent, before the answer itself is. How many bytes of the answer
    /// are sent with it, if any.
    pub(super) fn poll_settle(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut TcpStream,
    ) -> Poll<io::Result<Option<usize>>> {
        if self.0 <= COMMON {
            let sent = std::mem::take(&mut self.0);
            return Poll::Ready(Ok((sent > 0).then_some(sent)));
        }
        while self.0 < INTERIM.len() {
            let rest = &INTERIM[self.0..];
            self.0 += ready!(Pin::new(&mut *stream).poll_write(context, rest))?;
        }
        self.0 = 0;
        Poll::Ready(Ok(None))
    }
}

/// What is known of a client that may have gone.
#[derive(Default)]
pub(super) struct Farewell {
    /// When the client was found to have ended what it sends.
    ended_at: Option<Instant>,
    /// Whether that is kept from the HTTP library: it would give up the request, and the answer itself
    /// will tell whether the client is there.
    is_withheld: bool,
    /// Since when the HTTP library does not read what the client sends.
    unread_since: Option<Instant>,
    look: Option<Pin<Box<Sleep>>>,
}

impl Farewell {
    /// Whether the client has ended what it sends, and the HTTP library does not know.
    pub(super) fn is_withheld(&self) -> bool {
        self.is_withheld
    }

    /// Notes how a read went.
    pub(super) fn note_read(&mut self, is_ready: bool) {
        self.unread_since = is_ready.then(Instant::now);
    }

    /// Keeps the end of what the client sends from the HTTP library.
    pub(super) fn withhold(
        &mut self,
        stream: &TcpStream,
        knock: &mut Knock,
        activity: &Activity,
    ) -> io::Result<()> {
        self.is_withheld = true;
        self.end(stream, knock, activity)
    }

    /// Notes that the client has ended what it sends. Where an answer is awaited, it is asked for a sign.
    fn end(
        &mut self,
        stream: &TcpStream,
        knock: &mut Knock,
        activity: &Activity,
    ) -> io::Result<()> {
        if self.ended_at.is_some() {
            return Ok(());
        }
        self.ended_at = Some(Instant::now());
        self.look = None;
        if let Some(version) = activity.awaits_answer() {
            activity.presence().doubt();
            knock.send(stream, version)?;
        }
        Ok(())
    }

    /// Fails once a client that has ended what it sends has refused something. Ready where more of its
    /// request is needed, which does not come.
    pub(super) fn poll_ended(
        &mut self,
        context: &mut Context<'_>,
        stream: &TcpStream,
        activity: &Activity,
    ) -> Poll<io::Result<()>> {
        loop {
            let is_in_doubt = self.is_in_doubt();
            let lacking = activity.lacks_body_since();
            if !is_in_doubt {
                activity.presence().confirm();
                // What the HTTP library has read already is waited for, too, until it is passed on.
                if lacking.is_some_and(|since| since.elapsed() >= DOUBT) {
                    return Poll::Ready(Ok(()));
                }
            }
            let is_soon = is_in_doubt || lacking.is_some();
            let interval = if is_soon { LOOK_SOON } else { LOOK_EVERY };
            ready!(self.poll_look(context, interval));
            check(stream)?;
        }
    }

    fn is_in_doubt(&self) -> bool {
        self.ended_at.is_some_and(|at| at.elapsed() < DOUBT)
    }

    /// Fails once a client has refused something, of whose request the HTTP library takes nothing more.
    /// Where somebody wants to be sure, it is looked at once.
    pub(super) fn poll_unread(
        &mut self,
        context: &mut Context<'_>,
        stream: &TcpStream,
        knock: &mut Knock,
        activity: &Activity,
    ) -> Poll<io::Result<()>> {
        if activity.presence().is_asked() {
            if self.ended_at.is_none() && has_ended(context, stream) {
                self.end(stream, knock, activity)?;
            } else {
                activity.presence().confirm();
            }
        }
        if self.ended_at.is_some() {
            return self.poll_ended(context, stream, activity);
        }
        loop {
            let Some((since, version)) = self.unread_since.zip(activity.awaits_body()) else {
                return Poll::Pending;
            };
            ready!(self.poll_look(context, LOOK_EVERY));
            if since.elapsed() >= LOOK_EVERY {
                check(stream)?;
                knock.send(stream, version)?;
            }
        }
    }

    /// Ready once it is time to look.
    fn poll_look(&mut self, context: &mut Context<'_>, interval: Duration) -> Poll<()> {
        let look = self.look.get_or_insert_with(|| Box::pin(sleep(interval)));
        ready!(look.as_mut().poll(context));
        self.look = None;
        Poll::Ready(())
    }
}

/// Whether the client has ended what it sends, though there may be something of it to read.
pub(super) fn has_ended(context: &mut Context<'_>, stream: &TcpStream) -> bool {
    let ready = pin!(stream.ready(Interest::READABLE)).poll(context);
    matches!(ready, Poll::Ready(Ok(ready)) if ready.is_read_closed())
}

/// Whether the client has refused something.
fn check(stream: &TcpStream) -> io::Result<()> {
    stream.take_error()?.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn however_often_is_knocked_the_client_reads_interim_answers_and_the_answer() {
        let answer = b"HTTP/1.1 200 OK\r\n\r\n";
        for (version, limit) in [(Version::HTTP_11, INTERIM.len()), (Version::HTTP_10, 7)] {
            for knocks in 0..INTERIM.len() * 2 {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                let address = listener.local_addr().expect("an address");
                let mut client = TcpStream::connect(address).await.expect("it listens");
                let (mut ours, _) = listener.accept().await.expect("accepted");
                let mut knock = Knock::default();
                for _ in 0..knocks {
                    knock.send(&ours, version).expect("there is room");
                }
                let settled = poll_fn(|context| knock.poll_settle(context, &mut ours));
                let sent = settled.await.expect("it is there").unwrap_or_default();
                ours.write_all(&answer[sent..]).await.expect("sent");
                drop(ours);
                let mut read = Vec::new();
                client.read_to_end(&mut read).await.expect("all of it");
                let interims = if limit < INTERIM.len() {
                    0
                } else {
                    let begun = knocks % limit > COMMON;
                    knocks / limit + usize::from(begun)
                };
                let expected = [INTERIM.repeat(interims), answer.to_vec()].concat();
                assert_eq!(read, expected, "{version:?} {knocks}");
            }
        }
    }
}
