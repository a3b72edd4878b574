use std::convert::Infallible;

use axum::extract::{FromRequestParts, MatchedPath};
use http::request::Parts;

/// The `{id}` in a path, as it was sent: an id needs no percent-encoding, so none is undone.
pub(crate) struct PathId(pub(crate) String);

impl<S: Sync> FromRequestParts<S> for PathId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let route = parts.extensions.get::<MatchedPath>();
        let place =
            route.and_then(|route| route.as_str().split('/').position(|part| part == "{id}"));
        let id = place.and_then(|place| parts.uri.path().split('/').nth(place));
        Ok(Self(id.unwrap_or_default().to_owned()))
    }
}
