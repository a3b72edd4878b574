//! The express lane: a fast path for plain requests.
//!
//! Most requests are plain: HTTP/1.1, a whole head and a body of known, moderate length. They are
//! parsed in place, checked and forwarded without building request objects. When anything else arrives,
//! the connection is handed over with all its unprocessed bytes to the HTTP library.
//! `docs/decisions.md` says why there are two lanes.

mod answer;
mod chunked;
mod client;
mod exchange;
mod head;
mod outbox;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use keygate_core::{Clock, Credential};
use keygate_http::{
    Headers, Peer, RequestId, RequestIds, RequestLine, RouteRequests, ambiguous_framing, delay_of,
    problem_response,
};
use keygate_traces::{RequestSpan, Traces};
use tokio::sync::watch;

use crate::{
    Authorizer, Decoration, ForwardAuth, Gateway,
    admitted::Admitted,
    forward_auth::Question,
    gateway::{Asking, Destination, client_gone},
    inspect::Whole,
    path::{AmbiguousPath, path_of},
    paths::{Front, Paths},
    upstreams::OfPath,
};

pub use client::ClientStream;

use client::{Client, Inbox, Next};
use exchange::Exchange;
use head::Request;
use outbox::Outbox;

/// Serves plain requests for the gateway and for forward-auth.
pub struct Express {
    /// Where requests to upstreams go.
    pub gateway: Gateway,
    /// Answers proxies that ask at `/verify`.
    pub forward_auth: ForwardAuth,
    /// Decides for both of them.
    pub authorizer: Arc<Authorizer>,
    /// Assigns ids to requests.
    pub request_ids: Arc<RequestIds>,
    /// Writes requests to the log.
    pub request_line: RequestLine,
    /// Where traces of requests go, if they are collected.
    pub traces: Option<Traces>,
    /// The clock for the `Date` header.
    pub clock: Arc<dyn Clock>,
    /// How long an idle client connection is kept.
    pub keep_alive: Duration,
}

/// How the express lane ended.
pub enum Outcome {
    /// The connection is over.
    Closed,
    /// Something else than a plain request arrived. The bytes were read and not answered; the HTTP library continues.
    HandOver(Vec<u8>),
}

/// The outcome of a request.
enum Fate {
    Answered,
    /// Answered or interrupted; the connection ends.
    Last,
    NotServed,
}

/// The destination of a request and its peer.
enum Decision<'a> {
    Forward(Admitted<'a>),
    Allow(Credential),
    Refuse(Response<Bytes>),
}

/// Which front a request is for.
enum Part<'g, 't> {
    Gateway(Result<Destination<'g, 't>, AmbiguousPath>),
    ForwardAuth,
}

impl<'g> Part<'g, '_> {
    /// Counts its responses.
    fn answers(&self, express: &'g Express) -> &'g RouteRequests {
        match self {
            Self::Gateway(destination) => express.gateway.answers_to(destination),
            Self::ForwardAuth => express.forward_auth.answers(),
        }
    }
}

impl Express {
    /// Serves a connection until it ends, `draining` changes, or something else than a plain request to one of
    /// `paths` comes.
    pub async fn serve<S>(
        &self,
        stream: &mut S,
        peer: Peer<'_>,
        paths: Paths,
        mut draining: watch::Receiver<()>,
    ) -> Outcome
    where
        S: ClientStream,
    {
        let mut client = Client::new(stream, self.keep_alive);
        let mut inbox = Inbox::default();
        let mut outbox = Outbox::new(self.clock.clone(), draining.clone());
        let mut stop = std::pin::pin!(draining.changed());
        loop {
            match client.next_request(&mut inbox, stop.as_mut()).await {
                Next::Request => {}
                Next::WithoutBody => outbox.close(),
                Next::Closed => return Outcome::Closed,
                Next::Unusual => return Outcome::HandOver(inbox.take()),
                Next::Ambiguous => {
                    self.refuse_ambiguous(&mut client, &mut outbox).await;
                    return Outcome::Closed;
                }
            }
            // There may be a body after all, which nobody reads.
            let leaves_unread = outbox.is_last();
            let request = inbox.request();
            match self
                .answer(request, &mut client, &mut outbox, peer, paths)
                .await
            {
                Fate::Answered => {
                    client.note_unused();
                    inbox.advance(&mut client);
                    outbox.shrink();
                }
                Fate::Last => {
                    if leaves_unread {
                        client.part().await;
                    }
                    return Outcome::Closed;
                }
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
        paths: Paths,
    ) -> Fate
    where
        S: ClientStream,
    {
        let (Ok(method), Some(target)) = (Method::from_bytes(request.method()), request.target())
        else {
            return Fate::NotServed;
        };
        let Some(part) = self.part(&method, target, request, paths) else {
            return Fate::NotServed;
        };
        let id = self.request_ids.choose(&request);
        let traces = self.traces.as_ref();
        let begin = |traces: &Traces| {
            let is_trusted = peer.is_trusted();
            traces.begin(&method, path_of(target), &request, &id, is_trusted)
        };
        let span = traces.map(begin);
        let span = span.as_ref();
        outbox.begin(method == Method::HEAD);
        let decoration = match part {
            Part::Gateway(_) => self.gateway.decoration(&id, path_of(target), &request),
            Part::ForwardAuth => Decoration::new(&id, &self.authorizer),
        };
        let answers = part.answers(self);
        let decided = self.decide(part, &method, target, request, peer, span);
        let mut decided = client.accompany(decided).await;
        if let Some(Decision::Refuse(refusal)) = &decided
            && let Some(delay) = delay_of(refusal)
            && client.hold_back(delay).await.is_none()
        {
            decided = None;
        }
        let Some(decided) = decided else {
            answers.count(client_gone());
            outbox.note_status(client_gone());
            self.log(&method, target, &id, outbox, None);
            return Fate::Last;
        };
        let mut answered_by = None;
        let answered = match decided {
            Decision::Forward(mut admitted) => {
                let mut exchange = Exchange {
                    method: &method,
                    request,
                    target,
                    admitted: &mut admitted,
                    decoration: &decoration,
                    span,
                };
                let answered = exchange.run(client, outbox).await;
                answered_by = admitted.upstream().own_label();
                answered
            }
            Decision::Allow(key) => {
                answers.count(StatusCode::OK);
                outbox.permission(&key, &decoration);
                client.send(outbox).await
            }
            Decision::Refuse(refusal) => {
                answers.count(refusal.status());
                outbox.response(refusal, &decoration);
                client.send(outbox).await
            }
        };
        if let (Some(span), Ok(())) = (span, &answered) {
            span.note_answer(outbox.status(), outbox.failure());
        }
        self.log(&method, target, &id, outbox, answered_by);
        match answered {
            Ok(()) if !outbox.is_last() => Fate::Answered,
            _ => Fate::Last,
        }
    }

    /// Refuses a request with two lengths, and reads nothing after it.
    async fn refuse_ambiguous<S>(&self, client: &mut Client<'_, S>, outbox: &mut Outbox)
    where
        S: ClientStream,
    {
        outbox.begin(false);
        outbox.close();
        let id = self.request_ids.choose(&HeaderMap::new());
        let decoration = Decoration::new(&id, &self.authorizer);
        outbox.response(problem_response(&ambiguous_framing()), &decoration);
        if client.send(outbox).await.is_ok() {
            client.part().await;
        }
    }

    /// The part of the data plane that serves it, if the express lane can: it speaks neither TLS nor HTTP/2 to upstreams.
    fn part<'t>(
        &self,
        method: &Method,
        target: &'t str,
        request: Request<'_>,
        paths: Paths,
    ) -> Option<Part<'_, 't>> {
        let path = path_of(target);
        // How far a request may go is counted in one place.
        let is_limited =
            *method == Method::OPTIONS && request.values(&header::MAX_FORWARDS).next().is_some();
        let has_content_of_get =
            matches!(*method, Method::GET | Method::HEAD) && !request.body().is_empty();
        match paths.front(path, &self.gateway)? {
            Front::ForwardAuth => Some(Part::ForwardAuth),
            Front::Gateway if matches!(*method, Method::TRACE | Method::CONNECT) => None,
            Front::Gateway => {
                let destination = self.gateway.destination(target);
                let upstream = destination.as_ref().ok().and_then(|to| to.upstream);
                let is_plain = upstream.is_none_or(OfPath::is_plain);
                let is_list = destination
                    .as_ref()
                    .is_ok_and(|to| to.model_list(method).is_some());
                (is_plain && !has_content_of_get && !is_limited && !is_list)
                    .then_some(Part::Gateway(destination))
            }
        }
    }

    async fn decide<'g>(
        &'g self,
        part: Part<'g, '_>,
        method: &Method,
        target: &str,
        request: Request<'_>,
        peer: Peer<'g>,
        span: Option<&RequestSpan>,
    ) -> Decision<'g> {
        match part {
            Part::Gateway(destination) => {
                let gateway = &self.gateway;
                let asking = Asking {
                    method,
                    target,
                    headers: &request,
                    body: &mut Whole(request.body()),
                };
                let admitted = gateway.admit(destination, asking, peer, span);
                match admitted.await {
                    Ok(admitted) => Decision::Forward(admitted),
                    Err(refusal) => Decision::Refuse(refusal),
                }
            }
            Part::ForwardAuth => {
                let question = Question {
                    method,
                    target,
                    headers: &request,
                };
                match self.forward_auth.decide(&question, peer, span).await {
                    Ok(key) => Decision::Allow(key),
                    Err(refusal) => Decision::Refuse(refusal),
                }
            }
        }
    }

    fn log(
        &self,
        method: &Method,
        target: &str,
        id: &RequestId,
        outbox: &Outbox,
        upstream: Option<&HeaderValue>,
    ) {
        if !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let line = self.request_line.of(method, path_of(target));
        let status = outbox.status().as_u16();
        let upstream = upstream.map(tracing::field::debug);
        tracing::debug!(request_id = %id, status, request = ?line, upstream, "answered");
    }
}
