use std::sync::OnceLock;

use http::{HeaderName, Method, StatusCode};
use keygate_http::{Headers, RequestId};
use opentelemetry::{
    Context, KeyValue,
    trace::{SpanKind, Status, TraceContextExt, Tracer},
};

use crate::{Believed, Traces, propagation};

/// The methods that are named as they are. Any other word could be anything, also a secret.
const METHODS: [Method; 9] = [
    Method::CONNECT,
    Method::DELETE,
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
    Method::TRACE,
];

/// A request that is under way. It is over when this is dropped.
pub struct RequestSpan {
    /// Before the server's span, which ends after it.
    upstream: OnceLock<Context>,
    server: Context,
    traces: Traces,
    method: &'static str,
    path: String,
}

impl Traces {
    /// Begins the span of a request that comes from a trusted peer or from another.
    pub fn begin(
        &self,
        method: &Method,
        path: &str,
        headers: &impl Headers,
        id: &RequestId,
        is_trusted: bool,
    ) -> RequestSpan {
        let parent = if is_trusted || self.believed == Believed::Anybody {
            propagation::extract(headers, &self.line)
        } else {
            Context::new()
        };
        RequestSpan::begin(self, method, path, &parent, id.to_string())
    }
}

/// How many bytes of a path are kept: many long ones at once would be more than collectors take.
const MAX_PATH: usize = 1024;

impl RequestSpan {
    pub(crate) fn begin(
        traces: &Traces,
        method: &Method,
        path: &str,
        parent: &Context,
        id: String,
    ) -> Self {
        let method = METHODS.iter().position(|known| known == method);
        let method = method.map_or("_OTHER", |known| NAMES[known]);
        let path = traces.line.path(path);
        let path = path[..path.floor_char_boundary(MAX_PATH)].to_owned();
        let attributes = [
            KeyValue::new("http.request.method", method),
            KeyValue::new("url.scheme", "http"),
            KeyValue::new("url.path", path.clone()),
            KeyValue::new("keygate.request_id", id),
        ];
        let span = traces
            .tracer
            .span_builder(shown(method))
            .with_kind(SpanKind::Server)
            .with_attributes(attributes)
            .start_with_context(&traces.tracer, parent);
        Self {
            upstream: OnceLock::new(),
            server: parent.with_span(span),
            traces: traces.clone(),
            method,
            path,
        }
    }

    /// Says which route the request took: a template, or a path that is the same for many.
    pub fn note_route(&self, route: &str) {
        let span = self.server.span();
        span.update_name(format!("{} {route}", shown(self.method)));
        span.set_attribute(KeyValue::new("http.route", route.to_owned()));
    }

    /// Begins the span of what the upstream is asked, and writes the headers that tell it. `base` is
    /// what stands before the request's own path in the upstream's address.
    pub fn ask_upstream(
        &self,
        base: &str,
        (host, port): (&str, u16),
        header: impl FnMut(&HeaderName, &[u8]),
    ) {
        let attributes = [
            KeyValue::new("http.request.method", self.method),
            KeyValue::new("server.address", host.to_owned()),
            KeyValue::new("server.port", i64::from(port)),
            KeyValue::new("url.full", format!("{base}{}", self.path)),
        ];
        let span = self
            .traces
            .tracer
            .span_builder(shown(self.method))
            .with_kind(SpanKind::Client)
            .with_attributes(attributes)
            .start_with_context(&self.traces.tracer, &self.server);
        let upstream = self.server.with_span(span);
        propagation::inject(&upstream, header);
        let _ = self.upstream.set(upstream);
    }

    /// Says how the upstream answered.
    pub fn note_upstream_status(&self, status: StatusCode) {
        if let Some(upstream) = self.upstream.get() {
            note_status(upstream, status);
            if status.is_client_error() {
                note_error(upstream, status.as_str());
            }
        }
    }

    /// Says why there is no answer of the upstream: a word from a short list.
    pub fn note_upstream_failure(&self, code: &'static str) {
        if let Some(upstream) = self.upstream.get() {
            note_error(upstream, code);
        }
    }

    /// Says what the client is answered, and what failed if keygate says so itself.
    pub fn note_answer(&self, status: StatusCode, failure: Option<&'static str>) {
        note_status(&self.server, status);
        if let Some(code) = failure {
            note_error(&self.server, code);
        }
    }
}

/// [`METHODS`], by their names.
const NAMES: [&str; 9] = [
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
];

/// The method as the conventions have it in a span's name.
fn shown(method: &'static str) -> &'static str {
    if method == "_OTHER" { "HTTP" } else { method }
}

fn note_status(context: &Context, status: StatusCode) {
    let number = i64::from(status.as_u16());
    let span = context.span();
    span.set_attribute(KeyValue::new("http.response.status_code", number));
    if status.is_server_error() {
        note_error(context, status.as_str());
    }
}

/// The last one counts.
fn note_error(context: &Context, kind: &str) {
    let span = context.span();
    span.set_attribute(KeyValue::new("error.type", kind.to_owned()));
    span.set_status(Status::error(""));
}
