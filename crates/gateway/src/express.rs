//! The short way for plain requests.
//!
//! Most requests are plain: HTTP/1.1, a whole head and a body of known, moderate length. They are
//! read in place, decided about, and sent on without being turned into anything in between. A
//! connection on which something else comes is handed over with all its bytes, before anything was
//! done with them, to the full HTTP library. `docs/benchmarks.md` says what this is worth.

mod answer;
mod chunked;
mod client;
mod deadline;
mod exchange;
mod head;
mod outbox;
mod pool;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use keygate_core::{Clock, Credential};
use keygate_http::{Peer, RequestId, RequestIds, RequestLine, ambiguous_framing, problem_response};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

use crate::{
    Authorizer, ForwardAuth, Gateway,
    forward_auth::{Question, is_forward_auth},
    gateway::Passage,
    is_data_plane,
    path::path_of,
};

pub(crate) use pool::Pool;

use client::{Client, Inbox, Next};
use exchange::Exchange;
use head::Request;
use outbox::Outbox;

/// Serves plain requests for both parts of the data plane.
pub struct Express {
    /// Where requests under `/v1` go.
    pub gateway: Gateway,
    /// What answers proxies.
    pub forward_auth: ForwardAuth,
    /// What both of them ask.
    pub authorizer: Arc<Authorizer>,
    /// Names requests.
    pub request_ids: Arc<RequestIds>,
    /// Writes requests to the log.
    pub request_line: RequestLine,
    /// What answers are dated by.
    pub clock: Arc<dyn Clock>,
}

/// How the express lane ended.
pub enum Outcome {
    /// The connection is over.
    Closed,
    /// Something else came: what was read and is not yet answered. The connection goes on elsewhere.
    HandOver(Vec<u8>),
}

/// What became of a request.
enum Fate {
    Answered,
    /// Answered, or broken off, with nothing to follow.
    Last,
    NotServed,
}

/// Where a request goes, and whose it is.
enum Decision<'a> {
    Forward(Passage<'a>),
    Allow(Credential),
    Refuse(Response<Bytes>),
    NotServed,
}

impl Express {
    /// Serves a connection until it ends, `draining` changes, or something else than a plain request
    /// comes.
    pub async fn serve<S>(
        &self,
        stream: &mut S,
        peer: Peer<'_>,
        mut draining: watch::Receiver<()>,
    ) -> Outcome
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut client = Client::new(stream);
        let mut inbox = Inbox::default();
        let mut outbox = Outbox::new(self.clock.clone(), draining.clone());
        let mut stop = std::pin::pin!(draining.changed());
        loop {
            match client.next_request(&mut inbox, stop.as_mut()).await {
                Next::Request => {}
                Next::Closed => return Outcome::Closed,
                Next::Unusual => return Outcome::HandOver(inbox.take()),
                Next::Ambiguous => {
                    self.refuse_ambiguous(&mut client, &mut outbox).await;
                    return Outcome::Closed;
                }
            }
            let request = inbox.request();
            match self.answer(request, &mut client, &mut outbox, peer).await {
                Fate::Answered => {
                    inbox.advance(&mut client);
                    outbox.shrink();
                }
                Fate::Last => return Outcome::Closed,
                Fate::NotServed => return Outcome::HandOver(inbox.take()),
            }
        }
    }

    async fn answer<S>(
        &self,
        request: Request<'_>,
        client: &mut Client<'_, S>,
        outbox: &mut Outbox,
        peer: Peer<'_>,
    ) -> Fate
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (Ok(method), Some(target)) = (Method::from_bytes(request.method()), request.target())
        else {
            return Fate::NotServed;
        };
        let id = self.request_ids.choose(&request);
        outbox.begin(method == Method::HEAD);
        outbox.note_stale(self.authorizer.stale_seconds());
        let answered = match self.decide(&method, target, request, peer).await {
            Decision::NotServed => return Fate::NotServed,
            Decision::Forward(passage) => {
                let exchange = Exchange {
                    request,
                    target,
                    passage: &passage,
                    id: &id,
                };
                exchange.run(client, outbox).await
            }
            Decision::Allow(key) => {
                outbox.permission(&key, &id);
                client.send(outbox).await
            }
            Decision::Refuse(refusal) => {
                outbox.response(&refusal, &id);
                client.send(outbox).await
            }
        };
        if tracing::enabled!(tracing::Level::DEBUG) {
            self.log(&method, target, &id, outbox);
        }
        match answered {
            Ok(()) if !outbox.is_last() => Fate::Answered,
            _ => Fate::Last,
        }
    }

    /// Answers what has a length in two ways, and nothing after it.
    async fn refuse_ambiguous<S>(&self, client: &mut Client<'_, S>, outbox: &mut Outbox)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        outbox.begin(false);
        outbox.close();
        let id = self.request_ids.choose(&HeaderMap::new());
        outbox.response(&problem_response(&ambiguous_framing()), &id);
        let _ = client.send(outbox).await;
    }

    async fn decide(
        &self,
        method: &Method,
        target: &str,
        request: Request<'_>,
        peer: Peer<'_>,
    ) -> Decision<'_> {
        let path = path_of(target);
        if is_data_plane(path) && !matches!(*method, Method::TRACE | Method::CONNECT) {
            let destination = self.gateway.destination(target);
            let upstream = destination.as_ref().ok().and_then(|to| to.upstream);
            // Before the key is asked about, which is to be counted once.
            if upstream.is_some_and(|upstream| upstream.socket().is_none()) {
                return Decision::NotServed;
            }
            let gateway = &self.gateway;
            let admitted = gateway.admit(destination, method, target, &request, peer);
            match admitted.await {
                Ok(passage) => Decision::Forward(passage),
                Err(refusal) => Decision::Refuse(refusal),
            }
        } else if is_forward_auth(path) {
            let question = Question {
                method,
                target,
                headers: &request,
            };
            match self.forward_auth.decide(&question, peer).await {
                Ok(key) => Decision::Allow(key),
                Err(refusal) => Decision::Refuse(refusal),
            }
        } else {
            Decision::NotServed
        }
    }

    fn log(&self, method: &Method, target: &str, id: &RequestId, outbox: &Outbox) {
        let line = self.request_line.of(method, path_of(target));
        let status = outbox.status().as_u16();
        tracing::debug!(request_id = %id, status, request = ?line, "answered");
    }
}

/// What an upstream sent is no answer that could be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer is no HTTP, or its length is not clear")]
struct Malformed;

/// A length as RFC 9110 section 8.6 writes it: digits alone.
fn parse_length<T: std::str::FromStr>(value: &[u8]) -> Option<T> {
    let is_plain = value.iter().all(u8::is_ascii_digit);
    let digits = std::str::from_utf8(value).ok().filter(|_| is_plain);
    digits?.parse().ok()
}
