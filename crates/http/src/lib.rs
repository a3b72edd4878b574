//! What both planes say alike over HTTP: errors, request ids, and who the client is.

mod client;
mod framing;
mod problem;
mod request_id;

pub use client::{ClientAddress, TrustedProxies};
pub use framing::refuse_ambiguous_framing;
pub use problem::problem_response;
pub use request_id::{RequestIds, X_REQUEST_ID};
