//! What both planes say alike over HTTP: errors, request ids, and who the client is.

mod client;
mod framing;
mod headers;
mod problem;
mod request_id;
mod request_line;

pub use client::{ClientAddress, Peer, TrustedProxies};
pub use framing::{ambiguous_framing, refuse_ambiguous_framing};
pub use headers::Headers;
pub use problem::{ServerFailure, failure_of, problem_response, retry_after};
pub use request_id::{RequestId, RequestIds, X_REQUEST_ID};
pub use request_line::RequestLine;
