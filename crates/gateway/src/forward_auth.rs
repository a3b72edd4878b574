use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, Response, Uri, header::CACHE_CONTROL,
    uri::PathAndQuery,
};
use http_body_util::Full;
use keygate_core::Credential;
use keygate_http::{Headers, Peer, Plane, Requests, RouteRequests};
use keygate_traces::RequestSpan;

use crate::{
    Authorizer,
    authorizer::{UNTRUSTED, forbidden},
    identity,
};

/// The body of a refusal as a header, for proxies that drop the body.
const ERROR: HeaderName = HeaderName::from_static("x-keygate-error");

const X_ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const X_ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
const X_ORIGINAL_URL: HeaderName = HeaderName::from_static("x-original-url");
const X_FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const X_FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");

/// The path for proxies; the original path may follow.
const PATH: &str = "/verify";

/// Whether a path belongs to forward-auth.
pub(crate) fn is_forward_auth(path: &str) -> bool {
    path.strip_prefix(PATH)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers proxies that ask whether a request may pass, and leave it to keygate to decide: nginx's
/// `auth_request`, Caddy's `forward_auth`, Traefik's `ForwardAuth`, Envoy's `ext_authz` over HTTP.
pub struct ForwardAuth {
    authorizer: Arc<Authorizer>,
    answers: RouteRequests,
}

impl ForwardAuth {
    /// Decides as `authorizer` does. The answers count among `requests`.
    pub fn new(authorizer: Arc<Authorizer>, requests: &Requests) -> Self {
        Self {
            authorizer,
            answers: requests.on_route(Plane::ForwardAuth, PATH),
        }
    }

    /// Counts its responses.
    pub(crate) fn answers(&self) -> &RouteRequests {
        &self.answers
    }

    /// The key of the request that `question` is about, or the refusal.
    pub(crate) async fn decide(
        &self,
        question: &Question<'_, impl Headers>,
        peer: Peer<'_>,
        span: Option<&RequestSpan>,
    ) -> Result<Credential, Response<Bytes>> {
        if let Some(span) = span {
            span.note_route(PATH);
        }
        let decided = match question.original(peer.is_trusted()) {
            Ok((method, target)) => {
                let authorizer = &self.authorizer;
                let headers = question.headers;
                let client = || Some(peer.client(headers));
                authorizer
                    .authorize_elsewhere(&method, target.as_str(), headers, client)
                    .await
            }
            Err(Unclear(why)) => Err(forbidden(why)),
        };
        decided.map_err(with_error_header)
    }

    /// 200 with the identity headers, or the refusal.
    pub async fn handle<B>(
        &self,
        request: &Request<B>,
        peer: Peer<'_>,
        span: Option<&RequestSpan>,
    ) -> Response<Full<Bytes>> {
        let target = request.uri().path_and_query();
        let question = Question {
            method: request.method(),
            target: target.map_or("", PathAndQuery::as_str),
            headers: request.headers(),
        };
        let decided = self.decide(&question, peer, span).await;
        let answer = decided.map_or_else(|refusal| refusal, |key| permission(&key));
        self.answers.count(answer.status());
        answer.map(Full::new)
    }
}

/// The question of a proxy.
pub(crate) struct Question<'a, H> {
    pub(crate) method: &'a Method,
    /// Path and query.
    pub(crate) target: &'a str,
    pub(crate) headers: &'a H,
}

/// Calls `header` with each header of a response that allows a request.
pub(crate) fn write_permission(
    credential: &Credential,
    mut header: impl FnMut(&HeaderName, &[u8]),
) {
    identity::write(credential, &mut header);
    // A proxy that kept this answer would go on letting in a key that was revoked.
    header(&CACHE_CONTROL, b"no-store");
}

fn permission(credential: &Credential) -> Response<Bytes> {
    let mut response = Response::default();
    write_permission(credential, identity::into(response.headers_mut()));
    response
}

/// nginx drops the body of a refusal, but can read its headers.
fn with_error_header(mut refusal: Response<Bytes>) -> Response<Bytes> {
    if let Ok(error) = HeaderValue::from_bytes(refusal.body()) {
        refusal.headers_mut().insert(ERROR, error);
    }
    refusal
}

/// Why the original request cannot be determined.
#[derive(Debug, PartialEq, Eq)]
struct Unclear(&'static str);

const NOTHING_SAID: Unclear = Unclear(
    "The original request is missing. The proxy must send its method and URI in X-Original-Method and X-Original-URI, or in X-Forwarded-Method and X-Forwarded-Uri, or ask for /verify followed by the original path.",
);
const MALFORMED: Unclear = Unclear("The original method or URI is missing, repeated or malformed.");
const CONTRADICTION: Unclear = Unclear(
    "The headers that name the original request contradict each other. The proxy must overwrite those that clients send.",
);

type Original = (Method, PathAndQuery);

impl<H: Headers> Question<'_, H> {
    /// The request that the proxy asks about. A client can send the headers that its own proxy does
    /// not set, so all that is said must agree.
    fn original(&self, is_trusted: bool) -> Result<Original, Unclear> {
        if !is_trusted {
            return Err(Unclear(UNTRUSTED));
        }
        let claims = [
            self.by_path()?,
            self.by_headers(&X_ORIGINAL_METHOD, &X_ORIGINAL_URI)?,
            self.by_headers(&X_ORIGINAL_METHOD, &X_ORIGINAL_URL)?,
            self.by_headers(&X_FORWARDED_METHOD, &X_FORWARDED_URI)?,
        ];
        let mut claims = claims.into_iter().flatten();
        let first = claims.next().ok_or(NOTHING_SAID)?;
        if claims.all(|claim| claim == first) {
            Ok(first)
        } else {
            Err(CONTRADICTION)
        }
    }

    /// What follows `/verify` in the path, with the request's own method.
    fn by_path(&self) -> Result<Option<Original>, Unclear> {
        let rest = self.target.strip_prefix(PATH).unwrap_or("");
        if !rest.starts_with('/') {
            return Ok(None);
        }
        let target = parse_target(rest.as_bytes()).ok_or(MALFORMED)?;
        Ok(Some((self.method.clone(), target)))
    }

    fn by_headers(
        &self,
        method: &HeaderName,
        target: &HeaderName,
    ) -> Result<Option<Original>, Unclear> {
        let Some(target) = self.single(target)? else {
            return Ok(None);
        };
        let method = self.single(method)?.ok_or(MALFORMED)?;
        let method = Method::from_bytes(method).map_err(|_| MALFORMED)?;
        let target = parse_target(target).ok_or(MALFORMED)?;
        Ok(Some((method, target)))
    }

    fn single(&self, name: &HeaderName) -> Result<Option<&[u8]>, Unclear> {
        let mut values = self.headers.values(name);
        let first = values.next();
        values.next().map_or(Ok(first), |_| Err(MALFORMED))
    }
}

/// Path and query of a target; of an absolute URI the rest is the proxy's business. A fragment has no
/// place in a target (RFC 9112 section 3.2), and would go unnoticed here.
pub(crate) fn parse_target(target: &[u8]) -> Option<PathAndQuery> {
    let target = Some(target).filter(|target| !target.contains(&b'#'))?;
    Uri::try_from(target).ok()?.into_parts().path_and_query
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn ask(method: &str, path: &str, headers: &[(&str, &str)]) -> Result<String, Unclear> {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let question = Question {
            method: &method.parse().expect("a method"),
            target: path,
            headers: request.headers_ref().expect("headers"),
        };
        let (method, target) = question.original(true)?;
        Ok(format!("{method} {target}"))
    }

    const NGINX: [(&str, &str); 2] = [
        ("x-original-method", "POST"),
        ("x-original-uri", "/v1/files?a=b"),
    ];
    const TRAEFIK: [(&str, &str); 2] = [
        ("x-forwarded-method", "POST"),
        ("x-forwarded-uri", "/v1/files?a=b"),
    ];

    #[test]
    fn every_way_of_naming_the_request_is_read() {
        let expected = Ok("POST /v1/files?a=b".to_owned());
        assert_eq!(ask("GET", "/verify", &NGINX), expected);
        assert_eq!(ask("GET", "/verify", &TRAEFIK), expected);
        assert_eq!(ask("POST", "/verify/v1/files?a=b", &[]), expected);
        let ingress = [
            ("x-original-method", "POST"),
            ("x-original-url", "https://api.example.com/v1/files?a=b"),
        ];
        assert_eq!(ask("GET", "/verify", &ingress), expected);
        assert_eq!(ask("GET", "/verify", &[NGINX, TRAEFIK].concat()), expected);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let spoofed = ("x-forwarded-uri", "/v1/models");
        let method = ("x-forwarded-method", "POST");
        assert_eq!(
            ask("GET", "/verify", &[NGINX[0], NGINX[1], method, spoofed]),
            Err(CONTRADICTION)
        );
        assert_eq!(ask("POST", "/verify/v1/models", &NGINX), Err(CONTRADICTION));
        assert_eq!(
            ask("GET", "/verify/v1/files?a=b", &NGINX),
            Err(CONTRADICTION)
        );
    }

    #[test]
    fn what_is_said_by_half_or_twice_is_refused() {
        for headers in [
            &NGINX[1..],
            &[NGINX[0], NGINX[1], NGINX[1]],
            &[NGINX[0], NGINX[0], NGINX[1]],
            &[("x-original-method", "GET"), ("x-original-uri", "")],
            &[("x-original-method", "GET"), ("x-original-uri", "/v1#/x")],
            &[("x-original-method", "GET"), ("x-original-uri", "/v1?a#b")],
            &[("x-original-method", "a b"), ("x-original-uri", "/v1")],
        ] {
            assert_eq!(
                ask("GET", "/verify", headers),
                Err(MALFORMED),
                "{headers:?}"
            );
        }
        assert_eq!(ask("GET", "/verify", &[]), Err(NOTHING_SAID));
        assert_eq!(ask("GET", "/verify", &NGINX[..1]), Err(NOTHING_SAID));
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let question = Question {
            method: &Method::GET,
            target: "/verify/v1/models",
            headers: &HeaderMap::new(),
        };
        assert_eq!(question.original(false), Err(Unclear(UNTRUSTED)));
    }

    #[test]
    fn forward_auth_has_a_path_of_its_own() {
        for (path, own) in [
            ("/verify", true),
            ("/verify/v1/models", true),
            ("/verify/", true),
            ("/verifying", false),
            ("/v1/verify", false),
        ] {
            assert_eq!(is_forward_auth(path), own, "{path}");
        }
    }
}
