use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{ALLOW, CONNECTION, MAX_FORWARDS},
    uri::PathAndQuery,
};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Either, Full};
use keygate_core::{Code, Problem, Random, Scope};
use keygate_http::{
    ClientBody, Headers, NO_ROUTE, Peer, Plane, RequestId, Requests, RouteRequests,
    problem_response,
};
use keygate_traces::RequestSpan;
use keygate_verify::{HeldKey, refusal_response};
use prometheus_client::registry::Registry;
use tokio::time::timeout;

use crate::{
    Authorizer, Cors, Decoration, ResponseBody, Upstreams,
    admitted::Admitted,
    authorizer::Refused,
    balancer::Balancer,
    body::Streamed,
    cors::ALLOWED_METHODS,
    error_form::ErrorForm,
    faults::failure_response,
    forward::{Accepted, Answered, forward},
    framing::parse_length,
    inspect::{Inspected, Inspection, Room},
    is_data_plane, model_list,
    path::{AmbiguousPath, Readings, path_of},
    routes::{Asked, is_model_list, is_socket_for_inference, lacks_v1},
    streams::{OpenStream, OpenStreams},
    upstreams::OfPath,
    websocket::{Handshake, ReceivedHeaders, Tunnel},
};

/// The gateway. A single one serves all connections.
pub struct Gateway {
    authorizer: Arc<Authorizer>,
    upstreams: Upstreams,
    /// Counts the responses for each upstream, in their order.
    answers: Vec<RouteRequests>,
    /// Counts the responses to requests without an upstream.
    unrouted: RouteRequests,
    open: OpenStreams,
    cors: Cors,
    random: Arc<dyn Random>,
    /// For the bodies that are held.
    room: Room,
}

/// A request as the HTTP library has it.
struct Received<'g, 'r> {
    request: Request<ClientBody>,
    target: &'r PathAndQuery,
    handshake: Option<Handshake>,
    peer: Peer<'g>,
    span: Option<&'r RequestSpan>,
}

/// A request that asks to be admitted.
pub(crate) struct Asking<'a, H, B> {
    pub(crate) method: &'a Method,
    /// Path and query.
    pub(crate) target: &'a str,
    pub(crate) headers: &'a H,
    pub(crate) body: &'a mut B,
}

/// The destination of a request, by its path alone.
pub(crate) struct Destination<'g, 't> {
    path: Readings<'t>,
    pub(crate) upstream: Option<&'g OfPath>,
    answers: &'g RouteRequests,
}

impl<'g> Destination<'g, '_> {
    /// Those whose models make one list, if that is asked for.
    pub(crate) fn model_list(&self, method: &Method) -> Option<&'g OfPath> {
        let of_path = self.upstream.filter(|of_path| of_path.depends_on_model())?;
        is_model_list(method, &self.path).then_some(of_path)
    }

    /// Whether a WebSocket to it has events of `OpenAI`'s APIs.
    fn has_events(&self) -> bool {
        is_socket_for_inference(&self.path)
    }

    /// Whether the path can be one of an upstream.
    fn check(&self) -> Result<(), Problem> {
        if self.path.has_v1_twice() {
            return Err(not_found(V1_TWICE));
        }
        if self.upstream.is_none() && lacks_v1(&self.path.decoded) {
            return Err(not_found(LACKS_V1));
        }
        Ok(())
    }
}

impl Gateway {
    /// A gateway to these upstreams for requests that `authorizer` lets through. Its answers count
    /// among `requests`, each by the path of its upstream.
    pub fn new(
        authorizer: Arc<Authorizer>,
        upstreams: Upstreams,
        cors: Cors,
        random: Arc<dyn Random>,
        requests: &Requests,
    ) -> Self {
        let answers = |route: &str| requests.on_route(Plane::Gateway, route);
        Self {
            authorizer,
            answers: upstreams.paths().map(answers).collect(),
            unrouted: answers(NO_ROUTE),
            upstreams,
            open: OpenStreams::default(),
            cors,
            random,
            room: Room::default(),
        }
    }

    /// Whether requests to a path are for the data plane where something else is served, too: those to `/v1` and to
    /// what an upstream names, and those that lack a `/v1` and are to hear so.
    pub fn serves(&self, path: &str) -> bool {
        is_data_plane(path) || self.upstreams.position(path).is_some() || lacks_v1(path)
    }

    /// The headers that the answer to a request with these has besides the upstream's.
    pub fn decoration<'a>(
        &self,
        id: &'a RequestId,
        path: &str,
        headers: &impl Headers,
    ) -> Decoration<'a> {
        Decoration::new(id, &self.authorizer)
            .for_page(&self.cors, headers)
            .in_form(ErrorForm::of(path, headers))
    }

    /// Counts the answers under way from now on, for whoever reads `registry`.
    pub fn register_metrics(&self, registry: &mut Registry) {
        self.open.register(registry);
    }

    /// Closes connections to upstreams that have waited too long for a request. To be called every
    /// few seconds.
    pub fn sweep(&self) {
        self.upstreams.sweep();
    }

    /// Answers a request, with all that `decoration` adds.
    pub async fn handle(
        &self,
        request: Request<ClientBody>,
        peer: Peer<'_>,
        decoration: Decoration<'_>,
        span: Option<&RequestSpan>,
    ) -> Response<ResponseBody> {
        let decoration = match ErrorForm::of_grpc(&request) {
            Some(form) => decoration.in_form(form),
            None => decoration,
        };
        let mut answer = match self.answer(request, peer, span).await {
            Ok(answer) => answer.map(Either::Right),
            Err(own) => decoration.shape(own).map(Full::new).map(Either::Left),
        };
        decoration.add_to(answer.headers_mut());
        answer
    }

    /// Answers a request, and counts the answer: an upstream's, or keygate's own.
    async fn answer(
        &self,
        mut request: Request<ClientBody>,
        peer: Peer<'_>,
        span: Option<&RequestSpan>,
    ) -> Result<Response<Streamed>, Response<Bytes>> {
        let target = request.uri().path_and_query().cloned();
        let target = target.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let handshake = Handshake::of(&mut request, &*self.random);
        let destination = self.destination(target.as_str());
        let awaited = Awaited(Some(self.answers_to(&destination)));
        let received = Received {
            request,
            target: &target,
            handshake,
            peer,
            span,
        };
        let answer = self.admit_and_forward(received, destination).await;
        awaited.answered(match &answer {
            Ok(answer) => answer.status(),
            Err(own) => own.status(),
        });
        answer
    }

    async fn admit_and_forward<'g>(
        &'g self,
        received: Received<'g, '_>,
        destination: Result<Destination<'g, '_>, AmbiguousPath>,
    ) -> Result<Response<Streamed>, Response<Bytes>> {
        let Received {
            mut request,
            target,
            handshake,
            peer,
            span,
        } = received;
        // What follows the head of a handshake over HTTP/2 is the socket.
        let is_socket = handshake.is_some() && request.version() == Version::HTTP_2;
        if !is_socket && let Some(refusal) = refusal_by_form(&mut request).await {
            return Err(refusal);
        }
        let routed = destination.as_ref().ok();
        let list = routed.and_then(|to| to.model_list(request.method()));
        let has_events = handshake.is_some() && routed.is_some_and(Destination::has_events);
        let (parts, mut body) = request.into_parts();
        let asking = Asking {
            method: &parts.method,
            target: target.as_str(),
            headers: &ReceivedHeaders {
                headers: &parts.headers,
                begin_socket: handshake.is_some(),
            },
            body: &mut body,
        };
        let mut admitted = self.admit(destination, asking, peer, span).await?;
        if let Some(of_path) = list {
            return Err(model_list::list(of_path, target).await);
        }
        let mut request = Request::from_parts(parts, body);
        if let Some(answer) = last_hop(&mut request) {
            return Err(answer);
        }
        // An upstream that opens no socket answers as to any GET, also by saying where to get it; over HTTP/2 that
        // would begin a socket.
        let may_pass_plain = admitted.key.scopes.permits(Scope::Read) && !is_socket;
        let method = request.method().clone();
        let asks_for_socket = handshake.is_some();
        // Apart, so that a refusal takes no room for it.
        let forwarded = Box::pin(forward(
            request,
            target,
            &mut admitted,
            asks_for_socket,
            span,
        ));
        let answered = forwarded.await.and_then(|answered| match answered {
            Answered::Exchange(plain)
                if asks_for_socket && gives(plain.status()) && !may_pass_plain =>
            {
                Err(no_socket())
            }
            answered => Ok(answered),
        });
        let answered = answered.map_err(|problem| failure_response(&problem, &method))?;
        let Admitted {
            held,
            mut turn,
            open,
            ..
        } = admitted;
        let open = open.of(turn.take_under_way());
        match (answered, handshake.zip(held)) {
            (Answered::Socket(accepted), Some((handshake, key))) => {
                Err(open_socket(accepted, handshake, key, has_events, open))
            }
            (Answered::Socket(_), None) => unreachable!("none was asked for"),
            (Answered::Exchange(answer), _) => Ok(answer.map(|exchange| Streamed {
                exchange,
                _open: open,
            })),
        }
    }

    /// The destination of a request with this path and query.
    pub(crate) fn destination<'t>(
        &self,
        target: &'t str,
    ) -> Result<Destination<'_, 't>, AmbiguousPath> {
        let mut path = Readings::of(path_of(target))?;
        let place = path.agree(|path| self.upstreams.position(path))?;
        let upstream = place.map(|place| self.upstreams.at(place));
        path.upstream_path = upstream.map(|to| to.first().path_length());
        Ok(Destination {
            path,
            upstream,
            answers: place.map_or(&self.unrouted, |place| &self.answers[place]),
        })
    }

    /// The counter of responses for a destination.
    pub(crate) fn answers_to<'g>(
        &'g self,
        destination: &Result<Destination<'g, '_>, AmbiguousPath>,
    ) -> &'g RouteRequests {
        let destination = destination.as_ref();
        destination.map_or(&self.unrouted, |destination| destination.answers)
    }

    /// Admits a request, or gives keygate's own answer: to a preflight, or the refusal.
    pub(crate) async fn admit<'g>(
        &'g self,
        destination: Result<Destination<'g, '_>, AmbiguousPath>,
        request: Asking<'_, impl Headers, impl Inspected>,
        peer: Peer<'g>,
        span: Option<&RequestSpan>,
    ) -> Result<Admitted<'g>, Response<Bytes>> {
        let Asking {
            method,
            target,
            headers,
            body,
        } = request;
        let answers = self.answers_to(&destination);
        let destination = destination.map_err(|ambiguous| refused(ambiguous.into()))?;
        if let Some(answer) = self.cors.preflight(method, headers) {
            return Err(answer);
        }
        let own = |problem: Problem| problem_response(&problem);
        destination.check().map_err(own)?;
        let Destination { path, upstream, .. } = destination;
        if let (Some(span), Some(upstream)) = (span, upstream) {
            span.note_route(upstream.first().path());
        }
        let authorizer = &self.authorizer;
        let client = || Some(peer.client(headers));
        let asked = if headers.begin_socket() {
            Asked::WebSocket
        } else {
            Asked::Method(method)
        };
        let deciding = authorizer.authorize(asked, target, &path, headers, client);
        let key = deciding.await.map_err(refused)?;
        let hold_key = || authorizer.hold(asked, target, &path, headers);
        let of_path = upstream.ok_or_else(|| own(no_upstream(&path)))?;
        let inspection = Inspection {
            room: &self.room,
            method,
            target,
            path: &path,
            headers,
        };
        let balancer = balancer(of_path, &inspection, body).await.map_err(own)?;
        if of_path.depends_on_model() {
            // The body may have been long in coming, and the key revoked meanwhile.
            let checked = hold_key().map_err(refused)?.check().await;
            checked.map_err(|refusal| refused(Refused::Key(refusal)))?;
        }
        let socket_key = headers.begin_socket().then(hold_key);
        Ok(Admitted {
            key,
            held: socket_key.transpose().map_err(refused)?,
            peer,
            turn: balancer.choose(),
            answers,
            open: self.open.open(),
        })
    }
}

/// How much of a model's name an error repeats.
const MAX_SHOWN: usize = 100;

/// Those that share a request's upstream, by the model that it names where that matters.
async fn balancer<'g>(
    of_path: &'g OfPath,
    inspection: &Inspection<'_, impl Headers>,
    body: &mut impl Inspected,
) -> Result<&'g Balancer, Problem> {
    if !of_path.depends_on_model() {
        return Ok(&of_path.by_model()[0]);
    }
    let model = inspection.model(body).await?;
    let place = of_path.place_for(model.as_deref());
    let balancer = place.map(|place| &of_path.by_model()[place]);
    balancer.ok_or_else(|| {
        let name: String = model.unwrap_or_default().chars().take(MAX_SHOWN).collect();
        let message = format!("There is no model \"{name}\".");
        Problem::new(Code::NotFound, message).with_param("model")
    })
}

/// The answer that begins a socket.
fn open_socket(
    accepted: Accepted,
    handshake: Handshake,
    key: HeldKey,
    has_events: bool,
    open: OpenStream,
) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = accepted.headers;
    handshake.accept(&mut response);
    let tunnel = Tunnel {
        client: handshake.client,
        upstream: accepted.socket,
        _connection: accepted.connection,
        key,
        has_events,
        _open: open,
    };
    tunnel.put_into(&mut response);
    response
}

/// A request whose client waits for the response. If the client leaves, it counts as 499.
struct Awaited<'g>(Option<&'g RouteRequests>);

impl Awaited<'_> {
    fn answered(mut self, status: StatusCode) {
        if let Some(answers) = self.0.take() {
            answers.count(status);
        }
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        if let Some(answers) = self.0 {
            answers.count(client_gone());
        }
    }
}

/// The status for a request whose client left before the response, as nginx uses it in logs and metrics.
pub fn client_gone() -> StatusCode {
    StatusCode::from_u16(499).expect("a status")
}

/// Decrements `Max-Forwards`. Returns the response if the request must not be forwarded any further (RFC
/// 9110 section 7.6.2).
fn last_hop(request: &mut Request<ClientBody>) -> Option<Response<Bytes>> {
    if *request.method() != Method::OPTIONS {
        return None;
    }
    let left = request.headers_mut().get_mut(MAX_FORWARDS)?;
    // What is no number says nothing.
    let hops: u64 = parse_length(left.as_bytes())?;
    let Some(fewer) = hops.checked_sub(1) else {
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        answer.headers_mut().insert(ALLOW, ALLOWED_METHODS);
        return Some(answer);
    };
    *left = fewer.into();
    None
}

fn refused(refused: Refused) -> Response<Bytes> {
    match refused {
        Refused::Ambiguous(why) => problem_response(&Problem::new(Code::InvalidRequest, why)),
        Refused::Key(refusal) => refusal_response(&refusal),
    }
}

/// Refusals that do not depend on the key.
async fn refusal_by_form(request: &mut Request<ClientBody>) -> Option<Response<Bytes>> {
    match *request.method() {
        Method::TRACE | Method::CONNECT => Some(method_not_allowed()),
        Method::GET | Method::HEAD => has_content(request).await.then(content_of_get),
        _ => None,
    }
}

/// How long the end of a request without content may come after its head.
const END_OF_HEAD: Duration = Duration::from_secs(1);

/// Whether there is content, however short. HTTP/2 can say that there is none by a frame after the head (RFC
/// 9113 section 8.1).
async fn has_content(request: &mut Request<ClientBody>) -> bool {
    let is_http2 = request.version() == Version::HTTP_2;
    let body = request.body_mut();
    if !is_http2 {
        return !body.is_end_stream();
    }
    let read = async {
        while let Some(frame) = body.frame().await {
            let is_empty = |frame: Frame<Bytes>| frame.data_ref().is_none_or(Bytes::is_empty);
            if !frame.is_ok_and(is_empty) {
                return true;
            }
        }
        false
    };
    timeout(END_OF_HEAD, read).await.unwrap_or(true)
}

/// Upstreams have taken the content of a GET for the next request on the connection (RFC 9110
/// section 9.3.1), so it is not passed on. Nor is it read: the connection ends with the answer.
fn content_of_get() -> Response<Bytes> {
    let message =
        "A GET or HEAD request must not have content. Send it without a body, or use POST.";
    let mut response = problem_response(&Problem::new(Code::InvalidRequest, message));
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

/// Whether an answer with this status is what was asked for, or where it is.
fn gives(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection()
}

/// TRACE would show the client what the upstream gets, credential included (RFC 9110 section
/// 9.3.8), and CONNECT asks for a tunnel.
fn method_not_allowed() -> Response<Bytes> {
    let problem = Problem::new(Code::MethodNotAllowed, "This method is not allowed.");
    let mut response = problem_response(&problem);
    response.headers_mut().insert(ALLOW, ALLOWED_METHODS);
    response
}

const V1_TWICE: &str =
    "The path has /v1 twice: the client adds it to its base URL. Leave it out of the base URL.";

const LACKS_V1: &str = "There is nothing at this address. The paths of the data plane begin with /v1: the base URL of most clients ends in /v1.";

fn not_found(message: &'static str) -> Problem {
    Problem::new(Code::NotFound, message)
}

fn no_socket() -> Problem {
    let message = "The service behind this gateway does not open a WebSocket at this path.";
    Problem::new(Code::UpstreamUnreachable, message)
}

fn no_upstream(path: &Readings<'_>) -> Problem {
    if is_data_plane(path.sent) {
        Problem::new(Code::UpstreamUnreachable, NO_UPSTREAM_YET)
    } else {
        not_found("No upstream has this path.")
    }
}

const NO_UPSTREAM_YET: &str = "No upstream is configured for this path. Its operator sets one with --upstream or [[upstream]].";
