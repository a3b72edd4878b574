use std::{error::Error, future::poll_fn, io, pin::Pin, sync::Arc, task::Poll, time::Duration};

use bytes::{Bytes, BytesMut};
use h2::Reason;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONTENT_LENGTH, TE},
    uri::PathAndQuery,
};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::{body::Incoming, ext::ReasonPhrase, upgrade::Upgraded};
use keygate_core::{Code, Problem};
use keygate_http::{ClientBody, Presence};
use keygate_traces::RequestSpan;
use tokio::{
    task::yield_now,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    admitted::Admitted,
    balancer::Turn,
    body::Exchanged,
    connection::Connection,
    connector::{ConnectError, Stream},
    faults::{broken_body, connect_problem, late_problem, timeout_problem, unreachable_problem},
    framing::{Malformed, check_answer, check_headers},
    headers, identity,
    own_credential::{JUDGE_TIMEOUT, MAX_JUDGED, Verdict},
    pool::{Place, Pooled, announced},
    progress::{Late, Progress},
    request_body::RequestBody,
    upstream::Upstream,
    websocket::{ask_for_socket, forgo_socket, is_websocket},
};

/// Sends a request to its upstream and gives the answer as soon as its head is there.
///
/// A request that may have been sent is never sent again, but for one without content that met a kept
/// connection as the upstream closed it. Whoever drops the future, or the body of the answer, ends the
/// request at the upstream too. Nothing is sent for a client that has gone.
pub(crate) async fn forward(
    request: Request<ClientBody>,
    target: &PathAndQuery,
    admitted: &mut Admitted<'_>,
    asks_for_socket: bool,
    span: Option<&RequestSpan>,
) -> Result<Answered, Problem> {
    let presence = request.extensions().get::<Presence>().cloned();
    let progress = Progress::begin();
    let mut request = prepare(request, admitted, progress.clone());
    if let Some(span) = span {
        let mut told = HeaderMap::new();
        admitted
            .upstream()
            .begin_span(span, identity::into(&mut told));
        headers::of_trace(request.headers_mut(), told);
    }
    let mut call = Call {
        turn: &mut admitted.turn,
        target,
        presence,
        progress,
        asks_for_socket,
    };
    call.address(&mut request)?;
    let answered = call.run(request).await;
    if let Err(problem) = &answered {
        admitted.turn.note_failure(problem);
    }
    if let Some(span) = span {
        match &answered {
            Ok(Answered::Exchange(answer)) => span.note_upstream_status(answer.status()),
            Ok(Answered::Socket(_)) => span.note_upstream_status(StatusCode::SWITCHING_PROTOCOLS),
            Err(problem) => span.note_upstream_failure(problem.code.as_str()),
        }
    }
    answered
}

/// What an upstream has answered.
pub(crate) enum Answered {
    Exchange(Response<Exchanged>),
    Socket(Accepted),
}

/// A WebSocket that an upstream has accepted.
pub(crate) struct Accepted {
    /// Those for the client.
    pub(crate) headers: HeaderMap,
    pub(crate) socket: Upgraded,
    pub(crate) connection: Pooled<Connection>,
}

/// A request to an upstream in progress.
struct Call<'a, 'g> {
    turn: &'a mut Turn<'g>,
    /// The path and query by which the request came.
    target: &'a PathAndQuery,
    presence: Option<Presence>,
    progress: Arc<Progress>,
    asks_for_socket: bool,
}

/// The outcome of sending a request on a connection.
enum Sent {
    Answered(Response<Incoming>),
    /// The connection was closed before any of it was sent.
    NotBegun(Request<RequestBody>),
    /// The connection was closed, as if by an upstream that no longer kept it.
    Closed(hyper::Error),
    Failed(Problem),
}

impl<'g> Call<'_, 'g> {
    fn upstream(&self) -> &'g Upstream {
        self.turn.upstream()
    }

    async fn run(&mut self, request: Request<RequestBody>) -> Result<Answered, Problem> {
        let is_head = request.method() == Method::HEAD;
        let Some(mut kept) = self.upstream().connections.take() else {
            return self.over_new_connection(request).await;
        };
        let again = copy_without_content(&request, &self.progress);
        match self.send(&mut kept, request).await {
            Sent::Answered(answer) => self.exchanged(answer, kept, is_head).await,
            Sent::NotBegun(request) => self.over_new_connection(request).await,
            Sent::Failed(problem) => Err(problem),
            Sent::Closed(error) => match again {
                Some(request) => self.over_new_connection(request).await,
                None => Err(unreachable_problem(self.upstream(), &error)),
            },
        }
    }

    /// Connects to the upstream, or to another one in its place, which is then the one to be asked.
    async fn connect(
        &mut self,
        request: &mut Request<RequestBody>,
    ) -> Result<(Box<dyn Stream>, Place), Problem> {
        loop {
            let upstream = self.upstream();
            let connect = async {
                let place = upstream.connector.take_place()?;
                Ok::<_, ConnectError>((upstream.connector.connect().await?, place))
            };
            match connect.await {
                Ok(connected) => return Ok(connected),
                Err(error) if error.is_upstreams() && self.turn.pass_on() => {
                    self.address(request)?;
                }
                Err(error) => return Err(connect_problem(upstream, &error)),
            }
        }
    }

    async fn over_new_connection(
        &mut self,
        mut request: Request<RequestBody>,
    ) -> Result<Answered, Problem> {
        let is_head = request.method() == Method::HEAD;
        let (stream, place) = self.connect(&mut request).await?;
        let upstream = self.upstream();
        let version = upstream.address.version;
        let connection = Connection::over(stream, version, upstream.write_timeout).await;
        let connection = connection.map_err(|error| unreachable_problem(upstream, &error))?;
        let mut kept = Pooled::new(connection, place);
        match self.send(&mut kept, request).await {
            Sent::Answered(answer) => self.exchanged(answer, kept, is_head).await,
            Sent::Closed(error) => Err(unreachable_problem(upstream, &error)),
            Sent::Failed(problem) => Err(problem),
            Sent::NotBegun(_) => {
                let closed = io::Error::from(io::ErrorKind::ConnectionAborted);
                Err(unreachable_problem(upstream, &closed))
            }
        }
    }

    async fn send(&self, kept: &mut Pooled<Connection>, request: Request<RequestBody>) -> Sent {
        if let Some(presence) = &self.presence {
            presence.confirmed().await;
        }
        kept.connection.begin();
        // Of a body that is known to be empty the HTTP library never asks for the end.
        let body = request.body();
        if body.is_end_stream() || body.size_hint().exact() == Some(0) {
            self.progress.note_all_sent();
        }
        let sent = self.in_time(kept.connection.send(request)).await;
        let mut failed = match sent {
            Ok(Ok(answer)) => return Sent::Answered(answer),
            Ok(Err(failed)) => failed,
            Err(late) => return Sent::Failed(late_problem(self.upstream(), late)),
        };
        if let Some(request) = failed.take_message() {
            return Sent::NotBegun(request);
        }
        let error = failed.into_error();
        if self.progress.has_client_failed() {
            Sent::Failed(broken_body())
        } else if is_timeout(&error) {
            Sent::Failed(timeout_problem(self.upstream()))
        } else if kept.connection.has_heard() && !is_untouched(&error) {
            Sent::Failed(unreachable_problem(self.upstream(), &error))
        } else {
            Sent::Closed(error)
        }
    }

    /// What `sent` comes to, unless whoever it waits for is too late.
    async fn in_time<T>(&self, sent: impl Future<Output = T>) -> Result<T, Late> {
        let mut sent = std::pin::pin!(sent);
        let patience = self.upstream().patience();
        loop {
            let due = self.progress.deadline(patience);
            let late = async {
                match due {
                    Some((deadline, _)) => sleep_until(deadline).await,
                    None => sleep_until(Instant::now() + DEADLINE_CHECK_INTERVAL).await,
                }
            };
            tokio::select! {
                biased;
                sent = &mut sent => return Ok(sent),
                () = late => {}
            }
            if let Some((deadline, late)) = self.progress.deadline(patience)
                && deadline <= Instant::now()
            {
                return Err(late);
            }
        }
    }

    /// Names the upstream that a request is for, as that is spoken to.
    fn address(&self, request: &mut Request<RequestBody>) -> Result<(), Problem> {
        let upstream = self.upstream();
        let target = upstream.target(self.target).map_err(|_| {
            Problem::new(
                Code::InvalidRequest,
                "The path is too long for the upstream.",
            )
        })?;
        upstream.address.put_into(request, target);
        let headers = request.headers_mut();
        if upstream.address.is_http2() {
            forgo_socket(headers);
            headers.insert(TE, TRAILERS);
        } else {
            headers.remove(TE);
            if self.asks_for_socket {
                ask_for_socket(headers);
            }
        }
        Ok(())
    }

    async fn exchanged(
        &self,
        answer: Response<Incoming>,
        connection: Pooled<Connection>,
        is_head: bool,
    ) -> Result<Answered, Problem> {
        if self.asks_for_socket && answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return self.accepted(answer, connection).await;
        }
        let upstream = self.upstream();
        let (mut parts, mut body) = answer.into_parts();
        let length = check_answer(parts.version, parts.status, &parts.headers)
            .map_err(|malformed| unreachable_problem(upstream, &malformed))?;
        let beginning = match upstream
            .own_credential
            .judge_head(parts.status, &parts.headers)
        {
            // There the library tells what is malformed by itself.
            Verdict::Passes if upstream.address.is_http2() => Bytes::new(),
            Verdict::Passes => read_available(&mut body)
                .await
                .map_err(|error| unreachable_problem(upstream, &error))?,
            Verdict::Refused => {
                return Err(upstream.own_credential.refused(upstream, parts.status));
            }
            Verdict::DependsOnBody => {
                let beginning = read_beginning(&mut body).await;
                let beginning = beginning.map_err(|error| unreachable_problem(upstream, &error))?;
                if upstream.own_credential.is_named_in(&beginning) {
                    return Err(upstream.own_credential.refused(upstream, parts.status));
                }
                beginning
            }
        };
        let keep_alive = parts.headers.get("keep-alive");
        let announced = keep_alive.and_then(|value| announced(value.as_bytes()));
        headers::for_client(&mut parts.headers, upstream);
        match length.bytes {
            // RFC 9110 section 8.6: there is none.
            _ if parts.status == StatusCode::NO_CONTENT => parts.headers.remove(CONTENT_LENGTH),
            // Once, and without zeros before it.
            Some(bytes) => parts.headers.insert(CONTENT_LENGTH, bytes.into()),
            None => None,
        };
        // The upstream's says nothing that the status does not (RFC 9112 section 4). Where there is none the
        // HTTP library would make one up.
        parts.extensions.remove::<ReasonPhrase>();
        if parts.status.canonical_reason().is_none() {
            parts.extensions.insert(ReasonPhrase::from_static(b""));
        }
        parts.version = Version::HTTP_11;
        let exchange = Exchanged {
            beginning,
            body,
            failure: None,
            connection: Some(connection),
            progress: self.progress.clone(),
            pool: upstream.connections.clone(),
            announced,
            // After HEAD some servers send a body all the same.
            is_reusable: !is_head,
            is_http2: upstream.address.is_http2(),
        };
        Ok(Answered::Exchange(Response::from_parts(parts, exchange)))
    }

    async fn accepted(
        &self,
        mut answer: Response<Incoming>,
        connection: Pooled<Connection>,
    ) -> Result<Answered, Problem> {
        let upstream = self.upstream();
        let unreachable = |error: &dyn Error| unreachable_problem(upstream, error);
        check_accepted(&answer).map_err(|malformed| unreachable(&malformed))?;
        let socket = hyper::upgrade::on(&mut answer).await;
        let mut headers = std::mem::take(answer.headers_mut());
        headers::for_client(&mut headers, upstream);
        Ok(Answered::Socket(Accepted {
            headers,
            socket: socket.map_err(|error| unreachable(&error))?,
            connection,
        }))
    }
}

/// Whether an upstream has accepted what it was asked for.
fn check_accepted(answer: &Response<Incoming>) -> Result<(), Malformed> {
    check_headers(answer.headers())?;
    is_websocket(answer.headers())
        .then_some(())
        .ok_or(Malformed)
}

/// The part of a body that arrived together with the head. If it is malformed the client can still get an error.
async fn read_available(body: &mut Incoming) -> Result<Bytes, hyper::Error> {
    // What reads it does so at the same time.
    for _ in 0..2 {
        let come = poll_fn(|context| Poll::Ready(Pin::new(&mut *body).poll_frame(context))).await;
        match come {
            Poll::Ready(Some(frame)) => return Ok(frame?.into_data().unwrap_or_default()),
            Poll::Ready(None) => break,
            Poll::Pending => yield_now().await,
        }
    }
    Ok(Bytes::new())
}

/// Reads the beginning of a body, as far as it arrives in time, to judge the response by it.
async fn read_beginning(body: &mut Incoming) -> Result<Bytes, hyper::Error> {
    let mut beginning = BytesMut::new();
    let reading = async {
        while beginning.len() < MAX_JUDGED
            && let Some(frame) = body.frame().await
        {
            beginning.extend(frame?.into_data());
        }
        Ok(())
    };
    if let Ok(Err(error)) = timeout(JUDGE_TIMEOUT, reading).await {
        return Err(error);
    }
    Ok(beginning.freeze())
}

/// gRPC's servers ask for it (RFC 9110 section 10.1.4).
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

/// How often the deadline is checked while the upstream reads a request.
const DEADLINE_CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// The same request once more, if it has no content and changes nothing (RFC 9110 section 9.2.2).
fn copy_without_content(
    request: &Request<RequestBody>,
    progress: &Arc<Progress>,
) -> Option<Request<RequestBody>> {
    if !may_be_repeated(request.method()) || !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(RequestBody::none(progress.clone()));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

/// Whether a request without content may be sent once more where a kept connection was closed.
pub(crate) fn may_be_repeated(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Whether an upstream says over HTTP/2 that it has not looked at a request (RFC 9113 section 8.7), as where it closes
/// a connection.
fn is_untouched(error: &hyper::Error) -> bool {
    let error = error.source().and_then(|error| error.downcast_ref());
    error.is_some_and(|error: &h2::Error| {
        let is_closing = error.is_go_away() && error.reason() == Some(Reason::NO_ERROR);
        let is_refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        error.is_remote() && (is_closing || is_refused)
    })
}

fn is_timeout(error: &hyper::Error) -> bool {
    let io = error.source().and_then(|error| error.downcast_ref());
    io.is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::TimedOut)
}

/// The request as an upstream is to have it, whichever it will be.
fn prepare(
    request: Request<ClientBody>,
    admitted: &Admitted<'_>,
    progress: Arc<Progress>,
) -> Request<RequestBody> {
    let (mut parts, client) = request.into_parts();
    let upstream = admitted.upstream();
    let received = parts.version;
    let authorization = upstream.own_credential.authorization.as_ref();
    headers::for_upstream(
        &mut parts.headers,
        admitted.peer,
        received,
        &admitted.key,
        authorization,
    );
    // What the server noted about the client's connection means nothing to the upstream's.
    parts.extensions.clear();
    let client = Some(client);
    Request::from_parts(parts, RequestBody { client, progress })
}
