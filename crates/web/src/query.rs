use axum::extract::FromRequestParts;
use http::request::Parts;
use keygate_wire::Fields;
use serde::de::DeserializeOwned;

use crate::answer::ApiError;

/// What stands behind a path's question mark.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = form_urlencoded::parse(query.as_bytes());
        let fields = pairs.fold(Fields::default(), |fields, (name, value)| {
            fields.with(&name, Some(&*value))
        });
        Ok(Self(fields.read()?))
    }
}
