//! Envoy's `ext_authz` over gRPC: `envoy.service.auth.v3.Authorization`.

mod messages;
mod service;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, uri::PathAndQuery,
};
use keygate_http::{
    ClientBody, Plane, RequestId, RequestIds, Requests, RouteRequests, TrustedProxies,
    X_REQUEST_ID, delay_of, failure_of,
};
use keygate_traces::{RequestSpan, Traces};
use keygate_verify::credential_headers;
use tonic::{Code, Request, Status, body::Body};
use tower::ServiceExt;

use self::{
    messages::{
        AppendAction, CheckRequest, CheckResponse, DeniedHttpResponse, Header, HeaderOption,
        HttpRequest, HttpResponse, HttpStatus, OkHttpResponse, RpcStatus,
    },
    service::Authorization,
};
use crate::{
    Authorizer, Decoration,
    authorizer::{UNTRUSTED, forbidden},
    forward_auth::parse_target,
    headers::is_override,
    identity,
};

/// The address of the proxy that asks.
#[derive(Clone, Copy)]
struct Asker(SocketAddr);

/// The gRPC method that Envoy calls.
const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// Answers Envoy's questions whether a request may pass.
pub struct ExtAuthz {
    authorizer: Arc<Authorizer>,
    request_ids: Arc<RequestIds>,
    trusted_proxies: TrustedProxies,
    traces: Option<Traces>,
    answers: RouteRequests,
}

impl ExtAuthz {
    /// Decides as `authorizer` does about what the trusted proxies ask. The answers count among
    /// `requests`, each by the status that the client gets.
    pub fn new(
        authorizer: Arc<Authorizer>,
        request_ids: Arc<RequestIds>,
        trusted_proxies: TrustedProxies,
        traces: Option<Traces>,
        requests: &Requests,
    ) -> Self {
        Self {
            authorizer,
            request_ids,
            trusted_proxies,
            traces,
            answers: requests.on_route(Plane::ExtAuthz, CHECK),
        }
    }

    /// Answers a gRPC call of `peer`.
    pub async fn handle(
        self: Arc<Self>,
        request: http::Request<ClientBody>,
        peer: SocketAddr,
    ) -> Response<Body> {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Asker(peer));
        let answered = Authorization(self).oneshot(request).await;
        answered.unwrap_or_else(|never| match never {})
    }

    /// A span of the question, in the trace that Envoy says it belongs to if it is believed.
    fn begin_span(
        &self,
        metadata: &HeaderMap,
        id: &RequestId,
        is_trusted: bool,
    ) -> Option<RequestSpan> {
        let traces = self.traces.as_ref()?;
        let span = traces.begin(&Method::POST, CHECK, metadata, id, is_trusted);
        span.note_route(CHECK);
        Some(span)
    }

    /// Answers one question.
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<tonic::Response<CheckResponse>, Status> {
        let asker = request.extensions().get::<Asker>();
        let is_trusted = asker.is_some_and(|Asker(peer)| self.trusted_proxies.trusts(peer.ip()));
        let (metadata, _, request) = request.into_parts();
        let client = client_address(&request);
        let http = request
            .attributes
            .and_then(|attributes| attributes.request?.http)
            .ok_or_else(|| Status::invalid_argument("attributes.request.http is missing"))?;
        let decided = self
            .decide(http, client, is_trusted, metadata.as_ref())
            .await;
        Ok(tonic::Response::new(decided))
    }

    async fn decide(
        &self,
        request: HttpRequest,
        client: Option<IpAddr>,
        is_trusted: bool,
        metadata: &HeaderMap,
    ) -> CheckResponse {
        let headers = headers(&request);
        let id = self.request_ids.choose(&headers);
        let span = self.begin_span(metadata, &id, is_trusted);
        let decided = match original(&request) {
            _ if !is_trusted => Err(forbidden(UNTRUSTED)),
            None => Err(forbidden(MALFORMED)),
            Some((method, target)) => {
                let authorizer = &self.authorizer;
                let client = || client;
                authorizer
                    .authorize_elsewhere(&method, target.as_str(), &headers, client)
                    .await
            }
        };
        let refusal = decided.as_ref().err();
        if let Some(delay) = refusal.and_then(delay_of) {
            tokio::time::sleep(delay).await;
        }
        let status = refusal.map_or(StatusCode::OK, Response::status);
        let failure = refusal.and_then(failure_of);
        self.answers.count(status);
        if let Some(failure) = failure {
            failure.log(&id);
        }
        if let Some(span) = span {
            span.note_answer(status, failure.map(|failure| failure.code.as_str()));
        }
        let decoration = Decoration::new(&id, &self.authorizer);
        match decided {
            Ok(key) => {
                let mut identity = HeaderMap::new();
                identity::insert(&mut identity, &key);
                allowed(&headers, &identity, &decoration)
            }
            Err(refusal) => denied(&refusal, &decoration),
        }
    }
}

const MALFORMED: &str = "The original method or path is malformed.";

/// The address that the request came to Envoy from.
fn client_address(request: &CheckRequest) -> Option<IpAddr> {
    let peer = request.attributes.as_ref()?.source.as_ref()?;
    let address = peer.address.as_ref()?.socket_address.as_ref()?;
    address.address.parse().ok()
}

fn original(request: &HttpRequest) -> Option<(Method, PathAndQuery)> {
    let method = request.method.parse().ok()?;
    Some((method, parse_target(request.path.as_bytes())?))
}

/// The client's headers: one by one where Envoy has `encode_raw_headers`, otherwise those of one name
/// joined by commas. Entries that are not valid headers are ignored.
fn headers(request: &HttpRequest) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &[u8]| {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            // There is room for more of them than Envoy takes from a client.
            let _ = headers.try_append(name, value);
        }
    };
    for (name, value) in &request.headers {
        add(name, value.as_bytes());
    }
    for raw in request.header_map.iter().flat_map(|map| &map.headers) {
        let value = if raw.raw_value.is_empty() {
            raw.value.as_bytes()
        } else {
            &raw.raw_value
        };
        add(&raw.key, value);
    }
    headers
}

/// Allows the request, with identity headers in place of the credentials and of identity headers that the
/// client sent, and without headers that would make it another request.
fn allowed(sent: &HeaderMap, identity: &HeaderMap, decoration: &Decoration<'_>) -> CheckResponse {
    let overrides = sent
        .keys()
        .filter(|name| is_override(name.as_str().as_bytes()));
    let gone = identity::spoofed(sent)
        .chain(overrides)
        .map(ToString::to_string);
    let credentials = credential_headers().chain([header::COOKIE]);
    let mut for_upstream = identity.clone();
    for_upstream.insert(X_REQUEST_ID, decoration.id().to_header());
    let mut for_client = HeaderMap::new();
    decoration.add_to(&mut for_client);
    let changes = OkHttpResponse {
        headers: options(&for_upstream),
        headers_to_remove: gone
            .filter(|name| !identity.contains_key(name))
            .chain(credentials.map(|name| name.to_string()))
            .collect(),
        response_headers_to_add: options(&for_client),
    };
    response(Code::Ok, HttpResponse::Ok(changes))
}

fn denied(refusal: &Response<Bytes>, decoration: &Decoration<'_>) -> CheckResponse {
    let mut headers = refusal.headers().clone();
    decoration.add_to(&mut headers);
    let denied = DeniedHttpResponse {
        status: Some(HttpStatus {
            code: refusal.status().as_u16().into(),
        }),
        headers: options(&headers),
        body: String::from_utf8_lossy(refusal.body()).into_owned(),
    };
    response(Code::PermissionDenied, HttpResponse::Denied(denied))
}

fn response(code: Code, http_response: HttpResponse) -> CheckResponse {
    CheckResponse {
        status: Some(RpcStatus { code: code.into() }),
        http_response: Some(http_response),
    }
}

/// Headers that take the place of those of the same name.
fn options(headers: &HeaderMap) -> Vec<HeaderOption> {
    let option = |(name, value): (&HeaderName, &HeaderValue)| HeaderOption {
        header: Some(Header {
            key: name.to_string(),
            value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
            raw_value: Vec::new(),
        }),
        append_action: AppendAction::OverwriteIfExistsOrAdd.into(),
    };
    headers.iter().map(option).collect()
}
