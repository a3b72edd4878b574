use std::convert::Infallible;

use axum::extract::{FromRequestParts, MatchedPath};
use http::request::Parts;

/// The `{id}` in a path, as it was sent: an id needs no percent-encoding, so none is undone.
pub(crate) struct PathId(pub(crate) String);

/// The `{update_id}` in a path, in the same way.
pub(crate) struct PathUpdateId(pub(crate) String);

impl<S: Sync> FromRequestParts<S> for PathId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(variable(parts, "{id}")))
    }
}

impl<S: Sync> FromRequestParts<S> for PathUpdateId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(variable(parts, "{update_id}")))
    }
}

/// What stands in the path at the place of a variable of its route.
fn variable(parts: &Parts, name: &str) -> String {
    let route = parts.extensions.get::<MatchedPath>();
    let place = route.and_then(|route| route.as_str().split('/').position(|part| part == name));
    let text = place.and_then(|place| parts.uri.path().split('/').nth(place));
    text.unwrap_or_default().to_owned()
}
