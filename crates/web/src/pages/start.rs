use axum::{extract::State, response::Response};
use http::HeaderMap;

use super::go_to;
use crate::state::WebState;

/// `GET /`: leads to the keys of whoever is signed in, or to signing in.
pub(crate) async fn show(State(state): State<WebState>, headers: HeaderMap) -> Response {
    let is_signed_in = state.cookie().read(&headers).is_some();
    go_to(if is_signed_in { "/keys" } else { "/signin" })
}
