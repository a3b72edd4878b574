//! W3C Trace Context: which trace a request belongs to, and which one its upstream is told of.

use http::HeaderName;
use keygate_http::{Headers, RequestLine};
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Whether a header says which trace a request belongs to, in whichever case it is written.
pub fn is_trace_context(name: &[u8]) -> bool {
    [TRACEPARENT, TRACESTATE]
        .iter()
        .any(|known| known.as_str().as_bytes().eq_ignore_ascii_case(name))
}

/// The trace that a request says it belongs to; none where it says so in no way, or in two.
pub(crate) fn extract(headers: &impl Headers, line: &RequestLine) -> Context {
    let single = |name: &HeaderName| {
        let mut values = headers.values(name);
        let value = std::str::from_utf8(values.next()?).ok()?;
        let is_plain = values.next().is_none() && !line.may_hold_key(value);
        is_plain.then_some(value)
    };
    let sent = Sent {
        parent: single(&TRACEPARENT),
        state: single(&TRACESTATE),
    };
    TraceContextPropagator::new().extract_with_context(&Context::new(), &sent)
}

/// Writes the headers that make a span of `context` the parent of what the receiver does.
pub(crate) fn inject(context: &Context, mut header: impl FnMut(&HeaderName, &[u8])) {
    let mut told = Told::default();
    TraceContextPropagator::new().inject_context(context, &mut told);
    for (name, value) in [(&TRACEPARENT, told.parent), (&TRACESTATE, told.state)] {
        if !value.is_empty() {
            header(name, value.as_bytes());
        }
    }
}

struct Sent<'a> {
    parent: Option<&'a str>,
    state: Option<&'a str>,
}

impl Extractor for Sent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => self.parent,
            "tracestate" => self.state,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

#[derive(Default)]
struct Told {
    parent: String,
    state: String,
}

impl Injector for Told {
    fn set(&mut self, key: &str, value: String) {
        match key {
            "traceparent" => self.parent = value,
            "tracestate" => self.state = value,
            _ => {}
        }
    }
}
