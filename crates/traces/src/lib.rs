//! What becomes of requests, told to a collector as OpenTelemetry's spans.
//!
//! Each request is a span of a server, and within it what its upstream is asked is a span of a client;
//! names and attributes are those of OpenTelemetry's semantic conventions for HTTP. The trace of
//! a caller that is believed goes on through both by W3C Trace Context. No key stands in any of it.

mod collector;
mod propagation;
mod request;

pub use collector::{Believed, InvalidEndpoint, Traces};
pub use propagation::is_trace_context;
pub use request::RequestSpan;
