use keygate_core::Credential;
use keygate_http::{Peer, RouteRequests};
use keygate_verify::HeldKey;

use crate::{Upstream, streams::OpenStream};

/// A request that was admitted.
pub(crate) struct Admitted<'g> {
    pub(crate) key: Credential,
    /// The same key for as long as a WebSocket lasts, where one is asked for.
    pub(crate) held: Option<HeldKey>,
    /// The peer that sent it.
    pub(crate) peer: Peer<'g>,
    pub(crate) upstream: &'g Upstream,
    /// Counts its response.
    pub(crate) answers: &'g RouteRequests,
    /// Held until the response is complete.
    pub(crate) open: OpenStream,
}
