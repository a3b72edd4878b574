//! The data plane over HTTP: a streaming reverse proxy that lets a request through to its
//! upstream if the request's key is accepted.

mod address;
mod admitted;
mod authorizer;
mod balancer;
mod body;
mod connection;
mod connector;
mod cors;
mod decorate;
mod error_form;
mod express;
mod ext_authz;
mod faults;
mod forward;
mod forward_auth;
mod forwarding;
mod framing;
mod gateway;
mod headers;
mod identity;
mod inspect;
mod load;
mod model_list;
mod models;
mod own_credential;
mod path;
mod paths;
mod pool;
mod probe;
mod progress;
mod request_body;
mod routes;
mod streams;
mod upstream;
mod upstreams;
mod websocket;

pub use address::InvalidUpstream;
pub use authorizer::Authorizer;
pub use body::{ResponseBody, Streamed};
pub use cors::{AllowedOrigin, Cors};
pub use decorate::{Decoration, X_KEYGATE_STALE};
pub use express::{ClientStream, Express, Outcome};
pub use ext_authz::ExtAuthz;
pub use forward_auth::ForwardAuth;
pub use gateway::{Gateway, client_gone};
pub use headers::X_KEYGATE_UPSTREAM;
pub use models::Models;
pub use path::{InvalidPattern, Pattern};
pub use paths::{Front, Paths};
pub use pool::PoolTimeouts;
pub use probe::{Probe, ProbeError, USER_AGENT};
pub use routes::{Route, RouteTable};
pub use upstream::{Upstream, UpstreamTimeouts};
pub use upstreams::Upstreams;
pub use websocket::Tunnel;

/// Whether a path is `/v1` or below it.
fn is_data_plane(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}
