//! What both planes say alike over HTTP: errors, request ids, who the client is, and
//! how requests are counted.

mod client;
mod client_body;
mod deadline;
mod delay;
mod error;
mod framing;
mod headers;
mod hops;
mod presence;
mod problem;
mod request_id;
mod request_line;
mod requests;
mod stalled_write;

pub use client::{ClientAddress, Peer, TrustedProxies};
pub use client_body::{BodyEnd, ClientBody};
pub use deadline::Deadline;
pub use delay::{Delay, delay_of};
pub use error::{ErrorResponse, status_of};
pub use framing::{AmbiguousFraming, ambiguous_framing, refuse_ambiguous_framing};
pub use headers::{Headers, has_spelling_of, is_spelling_of, retain_headers};
pub use presence::Presence;
pub use problem::{ServerFailure, failure_of, problem_response, retry_after};
pub use request_id::{RequestId, RequestIds, X_REQUEST_ID};
pub use request_line::RequestLine;
pub use requests::{NO_ROUTE, Plane, Requests, RouteRequests};
pub use stalled_write::StalledWrite;
