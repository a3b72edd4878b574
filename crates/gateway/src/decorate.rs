//! What keygate adds to the answers of the data plane.

use http::{HeaderMap, HeaderName, HeaderValue};
use keygate_http::{RequestId, X_REQUEST_ID};

use crate::{Authorizer, headers::into};

/// Stands on every answer of the data plane while keys are decided about by what may be out of date.
pub const X_KEYGATE_STALE: HeaderName = HeaderName::from_static("x-keygate-stale");

/// The headers that every answer of the data plane has, whichever front sends it.
pub struct Decoration<'a> {
    id: &'a RequestId,
    stale_seconds: Option<HeaderValue>,
}

impl<'a> Decoration<'a> {
    /// The headers of the answer to the request `id`, about which `authorizer` decides.
    pub fn new(id: &'a RequestId, authorizer: &Authorizer) -> Self {
        Self {
            id,
            stale_seconds: authorizer.stale_seconds(),
        }
    }

    /// The id of the request.
    pub(crate) fn id(&self) -> &RequestId {
        self.id
    }

    /// Calls `header` with each of them.
    pub(crate) fn write(&self, mut header: impl FnMut(&HeaderName, &[u8])) {
        header(&X_REQUEST_ID, self.id.as_bytes());
        if let Some(seconds) = &self.stale_seconds {
            header(&X_KEYGATE_STALE, seconds.as_bytes());
        }
    }

    /// Inserts each of them.
    pub fn insert(&self, headers: &mut HeaderMap) {
        self.write(into(headers));
    }
}
