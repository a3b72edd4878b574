use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    body::{Body, Bytes},
};
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH},
};
use http_body::Body as _;
use http_body_util::{Either, Full};
use keygate_core::Problem;
use keygate_gateway::{
    Decoration, Express, Front, Outcome, Paths, ResponseBody, X_KEYGATE_UPSTREAM, client_gone,
};
use keygate_http::{
    ClientBody, Peer, RequestId, TrustedProxies, X_REQUEST_ID, failure_of, problem_response,
    refuse_ambiguous_framing,
};
use keygate_traces::RequestSpan;
use keygate_web::matched_route;
use tokio::sync::watch;
use tower::ServiceExt;

use super::{
    connections::Handler, http_server::HttpServer, timeout_stream::TimeoutStream, traced::Traced,
};

/// Both planes.
pub(super) struct App {
    /// What serves plain requests for the data plane.
    pub(super) express: Express,
    pub(super) router: Router,
    pub(super) trusted_proxies: TrustedProxies,
    /// What serves what the express lane does not.
    pub(super) http: HttpServer,
}

/// A listener of the program.
pub(super) struct Entrance {
    pub(super) app: Arc<App>,
    /// Which paths on it are the data plane's.
    pub(super) paths: Paths,
}

impl Handler for Entrance {
    async fn serve(
        self: Arc<Self>,
        mut stream: TimeoutStream,
        peer: SocketAddr,
        draining: watch::Receiver<()>,
    ) {
        let Self { app, paths } = &*self;
        let here = app.peer(peer.ip());
        let express = &app.express;
        let served = express.serve(&mut stream, here, *paths, draining.clone());
        match served.await {
            Outcome::Closed => {}
            Outcome::HandOver(bytes) => {
                stream.read_first(bytes);
                let (app, paths) = (app.clone(), *paths);
                let answer = move |request| app.clone().answer(peer.ip(), paths, request);
                self.app.http.serve(stream, answer, draining).await;
            }
        }
    }

    fn sweep(&self) {
        self.app.express.gateway.sweep();
    }
}

type AppBody = Either<ResponseBody, Body>;

impl App {
    /// Answers a request of `peer`. Every response carries the request's id.
    pub(super) async fn answer(
        self: Arc<Self>,
        peer: IpAddr,
        paths: Paths,
        mut request: Request<ClientBody>,
    ) -> Response<Traced<AppBody>> {
        let id = self.express.request_ids.assign(request.headers_mut());
        let begin = |traces: &keygate_traces::Traces| {
            let path = request.uri().path();
            let is_trusted = self.trusted_proxies.trusts(peer);
            traces.begin(request.method(), path, request.headers(), &id, is_trusted)
        };
        let span = self.express.traces.as_ref().map(begin);
        let line = tracing::enabled!(tracing::Level::DEBUG).then(|| {
            let line = &self.express.request_line;
            line.of(request.method(), request.uri().path())
        });
        let mut awaited = Awaited {
            id: &id,
            line,
            is_answered: false,
        };
        let is_head = *request.method() == Method::HEAD;
        let front = paths.front(request.uri().path(), &self.express.gateway);
        let mut response = self
            .dispatch(peer, front, request, &id, span.as_ref())
            .await;
        if is_head {
            response = without_content(response);
        }
        let failure = failure_of(&response);
        if let Some(failure) = failure {
            failure.log(&id);
        }
        if let Some(span) = &span {
            let failure = failure.map(|failure| failure.code.as_str());
            span.note_answer(response.status(), failure);
        }
        let upstream = response.headers().get(X_KEYGATE_UPSTREAM);
        awaited.answered(response.status(), upstream);
        response.map(|body| Traced::new(body, span))
    }

    async fn dispatch(
        &self,
        peer: IpAddr,
        front: Option<Front>,
        request: Request<ClientBody>,
        id: &RequestId,
        span: Option<&RequestSpan>,
    ) -> Response<AppBody> {
        if let Err(problem) = refuse_ambiguous_framing(&request) {
            return decorate(close_with(&problem), &self.decoration(id));
        }
        match front {
            Some(Front::Gateway) => {
                let gateway = &self.express.gateway;
                let (path, headers) = (request.uri().path(), request.headers());
                let decoration = gateway.decoration(id, path, headers);
                let peer = self.peer(peer);
                let answer = gateway.handle(request, peer, decoration, span).await;
                answer.map(Either::Left)
            }
            Some(Front::ForwardAuth) => {
                let forward_auth = &self.express.forward_auth;
                let answer = forward_auth.handle(&request, self.peer(peer), span).await;
                decorate(answer.map(Either::Left), &self.decoration(id))
            }
            None => {
                // Apart, so that requests to the data plane take no room for it.
                let mut answer = Box::pin(self.manage(peer, request)).await;
                answer.headers_mut().insert(X_REQUEST_ID, id.to_header());
                if let (Some(span), Some(route)) = (span, matched_route(&answer)) {
                    span.note_route(route);
                }
                answer.map(Either::Right)
            }
        }
    }

    fn decoration<'a>(&self, id: &'a RequestId) -> Decoration<'a> {
        Decoration::new(id, &self.express.authorizer)
    }

    pub(super) fn peer(&self, address: IpAddr) -> Peer<'_> {
        Peer {
            address,
            trusted_proxies: &self.trusted_proxies,
        }
    }

    async fn manage(&self, peer: IpAddr, mut request: Request<ClientBody>) -> Response<Body> {
        let client = self.trusted_proxies.client(peer, request.headers());
        request.extensions_mut().insert(client);
        let answer = self.router.clone().oneshot(request.map(Body::new)).await;
        answer.unwrap_or_else(|never| match never {})
    }
}

/// A request whose client waits for its answer. One that it no longer waits for is logged, too.
struct Awaited<'a> {
    id: &'a RequestId,
    line: Option<String>,
    is_answered: bool,
}

impl Awaited<'_> {
    fn answered(&mut self, status: StatusCode, upstream: Option<&HeaderValue>) {
        self.is_answered = true;
        let status = status.as_u16();
        if let Some(line) = &self.line {
            let upstream = upstream.map(tracing::field::debug);
            tracing::debug!(request_id = %self.id, status, request = ?line, upstream, "answered");
        }
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.answered(client_gone(), None);
        }
    }
}

fn decorate(mut answer: Response<ResponseBody>, decoration: &Decoration<'_>) -> Response<AppBody> {
    decoration.add_to(answer.headers_mut());
    answer.map(Either::Left)
}

/// The answer to HEAD: over HTTP/2 the library would send the content of one that is not an upstream's
/// (RFC 9110 section 9.3.2).
fn without_content(response: Response<AppBody>) -> Response<AppBody> {
    let (mut parts, body) = response.into_parts();
    if matches!(body, Either::Left(Either::Right(_))) {
        return Response::from_parts(parts, body);
    }
    if let Some(length) = body.size_hint().exact().filter(|length| *length > 0) {
        parts.headers.insert(CONTENT_LENGTH, length.into());
    }
    Response::from_parts(parts, Either::Right(Body::empty()))
}

/// Refuses a request and whatever may come after it on the same connection.
fn close_with(problem: &Problem) -> Response<ResponseBody> {
    let mut response = problem_response::<Bytes>(problem).map(Full::new);
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response.map(Either::Left)
}
