use keygate_core::Credential;
use keygate_http::{Peer, RouteRequests};
use keygate_verify::HeldKey;

use crate::{Upstream, balancer::Turn, streams::OpenStream};

/// A request that was admitted.
pub(crate) struct Admitted<'g> {
    pub(crate) key: Credential,
    /// The same key for as long as a WebSocket lasts, where one is asked for.
    pub(crate) held: Option<HeldKey>,
    /// The peer that sent it.
    pub(crate) peer: Peer<'g>,
    /// Of which upstream it is the turn.
    pub(crate) turn: Turn<'g>,
    /// Counts its response.
    pub(crate) answers: &'g RouteRequests,
    /// Held until the response is complete.
    pub(crate) open: OpenStream,
}

impl<'g> Admitted<'g> {
    pub(crate) fn upstream(&self) -> &'g Upstream {
        self.turn.upstream()
    }
}
