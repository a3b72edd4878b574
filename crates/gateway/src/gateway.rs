use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response,
    header::{ALLOW, WWW_AUTHENTICATE},
};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use keygate_core::{Code, Denial, Problem, Scope};
use keygate_http::problem_response;
use keygate_verify::{Refusal, Verifier};

use crate::{
    ResponseBody, RouteTable, Upstreams,
    forward::forward,
    path::{AmbiguousPath, Readings},
};

/// The data plane. One of it serves all connections.
pub struct Gateway {
    verifier: Arc<Verifier>,
    routes: RouteTable,
    upstreams: Upstreams,
}

/// Where a request goes if its key has the scope.
struct Destination {
    scope: Scope,
    upstream: Option<usize>,
}

impl Gateway {
    /// A gateway to these upstreams.
    pub fn new(verifier: Arc<Verifier>, routes: RouteTable, upstreams: Upstreams) -> Self {
        Self {
            verifier,
            routes,
            upstreams,
        }
    }

    /// Answers a request under `/v1`.
    pub async fn handle(&self, request: Request<Incoming>) -> Response<ResponseBody> {
        match self.admit_and_forward(request).await {
            Ok(response) => response.map(Either::Right),
            Err(response) => response.map(Either::Left),
        }
    }

    async fn admit_and_forward(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Incoming>, Response<Full<Bytes>>> {
        if matches!(*request.method(), Method::TRACE | Method::CONNECT) {
            return Err(method_not_allowed());
        }
        let destination = self
            .destination(&request)
            .map_err(|AmbiguousPath| problem_response(&ambiguous_path()))?;
        let key = self
            .verifier
            .verify(request.headers(), request.uri(), destination.scope)
            .await
            .map_err(|refusal| refusal_response(&refusal))?;
        let target = request.uri().path_and_query().cloned();
        let (Some(upstream), Some(target)) = (destination.upstream, target) else {
            return Err(problem_response(&no_upstream()));
        };
        forward(request, &target, self.upstreams.at(upstream), &key)
            .await
            .map_err(|problem| problem_response(&problem))
    }

    fn destination(&self, request: &Request<Incoming>) -> Result<Destination, AmbiguousPath> {
        let path = Readings::of(request.uri().path())?;
        Ok(Destination {
            scope: self.routes.required_scope(request.method(), &path)?,
            upstream: path.agree(|path| self.upstreams.position(path))?,
        })
    }
}

fn refusal_response(refusal: &Refusal) -> Response<Full<Bytes>> {
    match refusal {
        Refusal::Denied(denial) => {
            let mut response = problem_response(&Problem::from(*denial));
            if let Some(challenge) = challenge(*denial) {
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
            response
        }
        Refusal::Unavailable(error) => {
            tracing::error!(%error, "a key could not be looked up");
            problem_response(&Problem::storage_unavailable())
        }
    }
}

/// What RFC 6750 section 3 has a refusal say: no error where no key was given at all.
fn challenge(denial: Denial) -> Option<HeaderValue> {
    let challenge = match denial {
        Denial::Missing => "Bearer realm=\"keygate\"".to_owned(),
        Denial::Invalid | Denial::Revoked | Denial::Expired => {
            "Bearer realm=\"keygate\", error=\"invalid_token\"".to_owned()
        }
        Denial::InsufficientScope(scope) => {
            format!("Bearer realm=\"keygate\", error=\"insufficient_scope\", scope=\"{scope}\"")
        }
        Denial::AccountSuspended => return None,
    };
    Some(HeaderValue::try_from(challenge).expect("plain ASCII"))
}

/// TRACE would show the client what the upstream gets, credential included (RFC 9110 section
/// 9.3.8), and CONNECT asks for a tunnel.
fn method_not_allowed() -> Response<Full<Bytes>> {
    let problem = Problem::new(Code::MethodNotAllowed, "This method is not passed on.");
    let mut response = problem_response(&problem);
    let allowed = HeaderValue::from_static("GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS");
    response.headers_mut().insert(ALLOW, allowed);
    response
}

fn ambiguous_path() -> Problem {
    Problem::new(
        Code::InvalidRequest,
        "The path can be read in more than one way. Send it without empty or dot segments, backslashes, or needless percent-encoding.",
    )
}

fn no_upstream() -> Problem {
    Problem::new(
        Code::UpstreamUnreachable,
        "No upstream is configured for this path. Its operator sets one with --upstream or [[upstream]].",
    )
}
