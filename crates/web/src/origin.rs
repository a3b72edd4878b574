use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::{HeaderMap, Uri, header::HOST, request::Parts};

use crate::state::WebState;

/// Scheme, host and port under which whoever asks knows the service: the public address, or where the
/// operator gave none, whatever the request was sent to.
pub(crate) struct Origin(pub(crate) String);

impl FromRequestParts<WebState> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Infallible> {
        let site = state.site();
        let seen = host(&parts.uri, &parts.headers).filter(|_| !site.is_configured);
        Ok(Self(seen.map_or_else(
            || site.origin.clone(),
            |host| format!("http://{host}"),
        )))
    }
}

/// The host, and the port if it is not the usual one, that a request was sent to.
pub(crate) fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let authority = uri.authority().map(http::uri::Authority::as_str);
    authority.or_else(|| headers.get(HOST)?.to_str().ok())
}
