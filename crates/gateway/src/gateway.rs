use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header::ALLOW};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use keygate_core::{Code, Credential, Problem};
use keygate_http::{Headers, Peer, problem_response};
use keygate_traces::RequestSpan;
use keygate_verify::refusal_response;

use crate::{
    Authorizer, ResponseBody, Upstream, Upstreams,
    authorizer::{AMBIGUOUS_PATH, Refused},
    forward::forward,
    path::{Readings, path_of},
};

/// The data plane. One of it serves all connections.
pub struct Gateway {
    authorizer: Arc<Authorizer>,
    upstreams: Upstreams,
    /// Whether none of the upstreams is to be spoken to in TLS.
    is_plain: bool,
}

impl Gateway {
    /// A gateway to these upstreams for requests that `authorizer` lets through.
    pub fn new(authorizer: Arc<Authorizer>, upstreams: Upstreams) -> Self {
        Self {
            authorizer,
            is_plain: upstreams.are_plain(),
            upstreams,
        }
    }

    /// Closes connections to upstreams that have waited too long for a request. To be called every
    /// few seconds.
    pub fn sweep(&self) {
        self.upstreams.sweep();
    }

    /// Answers a request under `/v1`.
    pub async fn handle(
        &self,
        request: Request<Incoming>,
        peer: Peer<'_>,
        span: Option<&RequestSpan>,
    ) -> Response<ResponseBody> {
        match self.admit_and_forward(request, peer, span).await {
            Ok(response) => response.map(Either::Right),
            Err(response) => response.map(Full::new).map(Either::Left),
        }
    }

    async fn admit_and_forward(
        &self,
        request: Request<Incoming>,
        peer: Peer<'_>,
        span: Option<&RequestSpan>,
    ) -> Result<Response<Incoming>, Response<Bytes>> {
        if matches!(*request.method(), Method::TRACE | Method::CONNECT) {
            return Err(method_not_allowed());
        }
        let Some(target) = request.uri().path_and_query().cloned() else {
            return Err(problem_response(&no_upstream()));
        };
        let (method, headers) = (request.method(), request.headers());
        let admitted = self.admit(method, target.as_str(), headers, peer, span);
        let (key, upstream) = admitted.await?;
        forward(request, &target, upstream, &key, span)
            .await
            .map_err(|problem| problem_response(&problem))
    }

    /// Whether a request for this target would go out without encryption, or nowhere.
    pub(crate) fn is_plain(&self, target: &str) -> bool {
        self.is_plain || {
            let path = Readings::of(path_of(target)).ok();
            let upstream = path.and_then(|path| {
                path.agree(|path| self.upstreams.position(path))
                    .unwrap_or_default()
            });
            upstream.is_none_or(|upstream| self.upstreams.at(upstream).socket().is_some())
        }
    }

    /// The key that opens the door and the upstream that the request is for, or the refusal.
    pub(crate) async fn admit(
        &self,
        method: &Method,
        target: &str,
        headers: &impl Headers,
        peer: Peer<'_>,
        span: Option<&RequestSpan>,
    ) -> Result<(Credential, &Upstream), Response<Bytes>> {
        let admitted = async {
            let path = Readings::of(path_of(target))?;
            let upstream = path.agree(|path| self.upstreams.position(path))?;
            if let (Some(span), Some(upstream)) = (span, upstream) {
                span.note_route(self.upstreams.at(upstream).path());
            }
            let client = || Some(peer.client(headers));
            let key = self
                .authorizer
                .authorize(method, target, &path, headers, client);
            Ok((key.await?, upstream))
        };
        let (key, upstream) = admitted.await.map_err(refused)?;
        let upstream = upstream.ok_or_else(|| problem_response(&no_upstream()))?;
        Ok((key, self.upstreams.at(upstream)))
    }
}

fn refused(refused: Refused) -> Response<Bytes> {
    match refused {
        Refused::AmbiguousPath => problem_response(&ambiguous_path()),
        Refused::Key(refusal) => refusal_response(&refusal),
    }
}

/// TRACE would show the client what the upstream gets, credential included (RFC 9110 section
/// 9.3.8), and CONNECT asks for a tunnel.
fn method_not_allowed() -> Response<Bytes> {
    let problem = Problem::new(Code::MethodNotAllowed, "This method is not passed on.");
    let mut response = problem_response(&problem);
    let allowed = HeaderValue::from_static("GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS");
    response.headers_mut().insert(ALLOW, allowed);
    response
}

fn ambiguous_path() -> Problem {
    Problem::new(Code::InvalidRequest, AMBIGUOUS_PATH)
}

fn no_upstream() -> Problem {
    Problem::new(
        Code::UpstreamUnreachable,
        "No upstream is configured for this path. Its operator sets one with --upstream or [[upstream]].",
    )
}
