//! What goes on on a connection that the HTTP library serves, so that one is ended on which nothing does.

use std::{
    collections::HashMap,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use http::Version;
use keygate_http::{BodyEnd, Deadline, Presence};
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use super::heads::Heads;

/// How long a request's head may take from its first byte.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may leave what is sent to it unread.
pub(super) const READER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an idle connection has to say that it heard of its end.
pub(super) const LAST_CALL: Duration = Duration::from_secs(1);

/// The requests of a connection, and since when there are none.
pub(super) struct Activity {
    keep_alive: Duration,
    is_http2: bool,
    state: Mutex<State>,
    changed: Notify,
    /// Whether something is to be sent for which the client has left no room.
    is_unsent: AtomicBool,
    presence: Presence,
}

/// How far a request over HTTP/1 is, of which a connection has one at a time.
struct Begun {
    /// Whether all of it has come.
    body: BodyEnd,
    version: Version,
    answer: Answer,
}

/// How far an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing of it was sent.
    Awaited,
    /// It is sent, and its length is known.
    Bounded,
    /// It is sent as it comes, and there may be nothing to send for long.
    Streaming,
}

/// What a request that is under way waits for.
struct Request {
    /// Until it is answered.
    body: Option<BodyEnd>,
    /// Whether the client is to take what is there for it.
    is_unread: bool,
}

impl Request {
    /// Since when it waits for its client, at the earliest; `None` where it waits for somebody else.
    fn idle_since(&self, progress_at: Instant) -> Option<Instant> {
        if self.is_unread {
            return Some(progress_at);
        }
        let awaited_since = self.body.as_ref()?.awaited_since()?;
        Some(progress_at.max(awaited_since))
    }
}

struct State {
    /// The request over HTTP/1 that is under way.
    begun: Option<Begun>,
    /// The requests that are under way, by their numbers.
    requests: HashMap<u64, Request>,
    next: u64,
    /// When a request began, ended, or got on.
    progress_at: Instant,
    /// When the first byte of a head came.
    head_began: Option<Instant>,
    /// Whether the first line of the first head has come. Where later ones begin, the HTTP library knows.
    has_line: bool,
    /// What the HTTP library does not show of heads.
    heads: Heads,
    /// Whether all that was answered is sent.
    is_settled: bool,
    /// Whether a client may still send what nobody will read.
    leaves_unread: bool,
}

impl Activity {
    /// A connection that may be idle for `keep_alive` from now on.
    pub(super) fn new(keep_alive: Duration, is_http2: bool) -> Arc<Self> {
        let state = State {
            begun: None,
            requests: HashMap::new(),
            next: 0,
            progress_at: Instant::now(),
            head_began: None,
            has_line: false,
            heads: Heads::new(),
            is_settled: true,
            leaves_unread: false,
        };
        Arc::new(Self {
            keep_alive,
            is_http2,
            state: Mutex::new(state),
            changed: Notify::new(),
            is_unsent: AtomicBool::new(false),
            presence: Presence::default(),
        })
    }

    /// Whether the client is still there.
    pub(super) fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Whether a request over HTTP/1 is under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.state.lock().begun.is_some()
    }

    /// Whether a request over HTTP/1 is under way that goes on though its client sends nothing more: what
    /// is answered tells whether the client is there.
    pub(super) fn outlives_end(&self) -> bool {
        let state = self.state.lock();
        let begun = state.begun.as_ref();
        begun.is_some_and(|begun| begun.answer != Answer::Streaming)
    }

    /// Since when somebody waits for more of a request over HTTP/1, if anybody does.
    pub(super) fn lacks_body_since(&self) -> Option<Instant> {
        let state = self.state.lock();
        state.begun.as_ref()?.body.awaited_since()
    }

    /// Since when nothing is done on the connection but wait for its client; `None` where anybody else is
    /// waited for.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state.lock();
        let progress_at = state.progress_at;
        let mut requests = state.requests.values();
        requests.try_fold(progress_at, |since, request| {
            Some(since.max(request.idle_since(progress_at)?))
        })
    }

    /// The version of a request over HTTP/1 of which nothing is answered yet, where something can be
    /// sent at once.
    pub(super) fn awaits_answer(&self) -> Option<Version> {
        let state = self.state.lock();
        let begun = state.begun.as_ref()?;
        let is_awaited = begun.answer == Answer::Awaited && !self.is_unsent.load(Ordering::Relaxed);
        is_awaited.then_some(begun.version)
    }

    /// The same of one that is not all there.
    pub(super) fn awaits_body(&self) -> Option<Version> {
        let has_come = |begun: &Begun| begun.body.has_come();
        let is_there = self.state.lock().begun.as_ref().is_none_or(has_come);
        if is_there { None } else { self.awaits_answer() }
    }

    /// Notes that bytes came. Where no request is under way, a head begins with them; line ends before
    /// it begin nothing (RFC 9112 section 2.2), nor do frames that are about the connection.
    pub(super) fn note_bytes(&self, bytes: &[u8]) {
        if self.is_http2 {
            return;
        }
        let mut state = self.state.lock();
        state.heads.note(bytes);
        let is_blank = bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
        if is_blank || !state.requests.is_empty() {
            return;
        }
        state.has_line |= bytes.contains(&b'\n');
        if state.head_began.is_none() {
            state.head_began = Some(Instant::now());
        }
    }

    /// Notes that nothing of what was to be sent is left.
    pub(super) fn note_sent(&self) {
        let mut state = self.state.lock();
        state.is_settled = state.begun.is_none();
    }

    /// Whether what is sent now answers no request over HTTP/1: the HTTP library refuses by itself what it
    /// cannot read.
    pub(super) fn is_settled(&self) -> bool {
        !self.is_http2 && self.state.lock().is_settled
    }

    /// Notes that the HTTP library refuses what it has read, and with it all that comes. Whether it has read
    /// a first line.
    pub(super) fn refuse(&self) -> bool {
        let mut state = self.state.lock();
        state.leaves_unread = true;
        state.has_line
    }

    /// Whether a client may still send what nobody will read.
    pub(super) fn leaves_unread(&self) -> bool {
        self.state.lock().leaves_unread
    }

    /// Notes that a request is there, until what is returned is dropped. `has_coding` says whether its head has a
    /// `Transfer-Encoding`.
    pub(super) fn begin_request(
        self: &Arc<Self>,
        body: BodyEnd,
        version: Version,
        has_coding: bool,
    ) -> UnderWay {
        let has_body = !body.has_come();
        let answer = Answer::Awaited;
        let request = Request {
            body: Some(body.clone()),
            is_unread: false,
        };
        let begun = Begun {
            body,
            version,
            answer,
        };
        let (number, is_ambiguous) = self.change(|state| {
            let is_ambiguous = has_coding && !self.is_http2 && state.heads.say_length();
            state.heads.advance(has_body);
            let number = state.next;
            state.next += 1;
            state.requests.insert(number, request);
            state.head_began = None;
            state.has_line = true;
            state.is_settled = false;
            state.leaves_unread = false;
            state.begun = (!self.is_http2).then_some(begun);
            (number, is_ambiguous)
        });
        UnderWay {
            activity: self.clone(),
            number,
            is_ambiguous,
            is_unread: false,
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let changed = change(&mut state);
        state.progress_at = Instant::now();
        self.tell();
        changed
    }

    /// When the connection is to end if nothing happens until then.
    fn deadline(&self) -> Option<Instant> {
        let state = self.state.lock();
        if state.requests.is_empty() {
            let idle_end = state.progress_at + self.keep_alive;
            let head_end = state.head_began.map(|began| began + HEAD_TIMEOUT);
            return Some(head_end.unwrap_or(idle_end));
        }
        // Over HTTP/1.1 the bytes themselves tell. Over HTTP/2 a client that opens no window leaves the
        // connection writable.
        let is_stuck = self.is_http2 && state.requests.values().all(|request| request.is_unread);
        is_stuck.then(|| state.progress_at + READER_TIMEOUT)
    }

    /// Ends when the client has been idle, or has taken, for too long.
    pub(super) async fn expired(&self) {
        let mut deadline = Deadline::default();
        loop {
            let mut changed = pin!(self.changed.notified());
            let is_over = poll_fn(|context| {
                if self.is_http2 && changed.as_mut().poll(context).is_ready() {
                    return Poll::Ready(false);
                }
                let Some(at) = self.deadline() else {
                    return Poll::Pending;
                };
                deadline.set(at);
                deadline.poll(context).map(|()| true)
            });
            if is_over.await {
                return;
            }
        }
    }

    /// Has the deadline looked at once more. Over HTTP/1 whoever waits for it does so in the task in which requests
    /// are answered.
    fn tell(&self) {
        if self.is_http2 {
            self.changed.notify_one();
        }
    }

    /// Notes whether the client has left no room for what is to be sent.
    pub(super) fn note_unsent(&self, is_unsent: bool) {
        self.is_unsent.store(is_unsent, Ordering::Relaxed);
    }

    /// Ends when a connection that was told to end needs to be waited for no longer: a moment after its
    /// last request, if all of the answer is sent.
    pub(super) async fn over(&self) {
        loop {
            sleep(LAST_CALL).await;
            let is_busy =
                !self.state.lock().requests.is_empty() || self.is_unsent.load(Ordering::Relaxed);
            let is_stuck = self.is_http2 && self.deadline().is_some_and(|at| at <= Instant::now());
            if !is_busy || is_stuck {
                return;
            }
        }
    }
}

/// A request that is under way.
pub(super) struct UnderWay {
    activity: Arc<Activity>,
    number: u64,
    is_ambiguous: bool,
    is_unread: bool,
}

impl UnderWay {
    /// Whether its head says its length in two ways, one of which the HTTP library does not show.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.is_ambiguous
    }

    /// Notes that the answer is there.
    pub(super) fn begin_answer(&mut self, answer: Answer) {
        let mut state = self.activity.state.lock();
        if let Some(begun) = &mut state.begun {
            begun.answer = answer;
        }
        if let Some(request) = state.requests.get_mut(&self.number) {
            request.body = None;
        }
    }

    /// Notes that a WebSocket begins, for which this connection is, or what this request has of it.
    pub(super) fn begin_socket(&mut self) {
        self.begin_answer(Answer::Streaming);
        self.activity.state.lock().heads.advance(true);
    }

    /// Notes whether it is the client that is waited for.
    pub(super) fn set_unread(&mut self, is_unread: bool) {
        let was_unread = std::mem::replace(&mut self.is_unread, is_unread);
        if was_unread != is_unread {
            let number = self.number;
            self.activity.change(|state| {
                if let Some(request) = state.requests.get_mut(&number) {
                    request.is_unread = is_unread;
                }
            });
        } else if is_unread {
            // Something was taken, and there is more. Nobody needs to be told of it.
            self.activity.state.lock().progress_at = Instant::now();
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let number = self.number;
        self.activity.change(|state| {
            state.heads.end_request();
            let begun = state.begun.take();
            state.leaves_unread = begun.is_some_and(|begun| !begun.body.has_come());
            state.requests.remove(&number);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP_ALIVE: Duration = Duration::from_secs(75);

    fn connection(is_http2: bool) -> Arc<Activity> {
        Activity::new(KEEP_ALIVE, is_http2)
    }

    fn begin(activity: &Arc<Activity>) -> UnderWay {
        activity.begin_request(BodyEnd::default(), Version::HTTP_11, false)
    }

    async fn expires_after(activity: &Activity) -> Option<u64> {
        let began = Instant::now();
        let day = Duration::from_hours(24);
        let expired = tokio::time::timeout(day, activity.expired()).await;
        expired.ok().map(|()| began.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn idle_connection_expires_after_its_time_with_or_without_line_ends_and_frames() {
        let activity = connection(false);
        activity.note_bytes(b"\r\n");
        assert_eq!(expires_after(&activity).await, Some(75));
        let activity = connection(true);
        activity.note_bytes(b"\0\0\x08\x06");
        assert_eq!(expires_after(&activity).await, Some(75));
    }

    #[tokio::test(start_paused = true)]
    async fn head_that_does_not_end_expires_after_10_seconds() {
        let activity = connection(false);
        tokio::time::advance(Duration::from_mins(1)).await;
        activity.note_bytes(b"GET /");
        assert_eq!(expires_after(&activity).await, Some(10));
    }

    #[tokio::test(start_paused = true)]
    async fn request_that_waits_for_its_answer_does_not_expire() {
        for is_http2 in [false, true] {
            let activity = connection(is_http2);
            activity.note_bytes(b"GET / HTTP/1.1");
            let under_way = begin(&activity);
            assert_eq!(expires_after(&activity).await, None);
            drop(under_way);
            assert_eq!(expires_after(&activity).await, Some(75));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn connection_on_which_nothing_is_read_any_more_expires_after_30_seconds() {
        let activity = connection(true);
        let (mut stuck, mut other) = (begin(&activity), begin(&activity));
        stuck.set_unread(true);
        assert_eq!(expires_after(&activity).await, None, "the other goes on");
        other.set_unread(true);
        assert_eq!(expires_after(&activity).await, Some(30));
        stuck.set_unread(false);
        assert_eq!(expires_after(&activity).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn connection_is_idle_while_all_that_it_waits_for_is_its_client() {
        let second = Duration::from_secs(1);
        let activity = connection(true);
        let began = Instant::now();
        let idle_since = || activity.idle_since().map(|at| at - began);
        assert_eq!(idle_since(), Some(Duration::ZERO));
        tokio::time::advance(second).await;
        let body = BodyEnd::default();
        let mut asked = activity.begin_request(body.clone(), Version::HTTP_2, false);
        assert_eq!(idle_since(), None, "its answer is waited for");
        tokio::time::advance(second).await;
        body.note_awaited();
        assert_eq!(idle_since(), Some(2 * second), "its body is waited for");
        let mut other = begin(&activity);
        assert_eq!(idle_since(), None, "the other's answer is waited for");
        tokio::time::advance(second).await;
        other.set_unread(true);
        assert_eq!(idle_since(), Some(3 * second), "it is not taken");
        tokio::time::advance(second).await;
        other.set_unread(true);
        assert_eq!(idle_since(), Some(4 * second), "some of it was taken");
        asked.begin_answer(Answer::Streaming);
        assert_eq!(idle_since(), None, "more of the answer is waited for");
    }
}
