use keygate_core::Credential;
use keygate_http::{Peer, RouteRequests};

use crate::{Upstream, streams::OpenStream};

/// A request that was let through.
pub(crate) struct Admitted<'g> {
    pub(crate) key: Credential,
    /// From where it comes.
    pub(crate) peer: Peer<'g>,
    pub(crate) upstream: &'g Upstream,
    /// What counts its answer.
    pub(crate) answers: &'g RouteRequests,
    /// Kept until the answer is over.
    pub(crate) open: OpenStream,
}
