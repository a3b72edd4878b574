//! The picture of the service.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{
    Uri,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
};

use crate::{
    answer::{ApiError, not_found},
    assets,
    state::WebState,
};

/// Opened by itself, an SVG is a page, whose scripts are nobody's here.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// `GET /assets/logo`
pub(crate) async fn show(State(state): State<WebState>, uri: Uri) -> Response {
    let Some(logo) = &state.brand().logo else {
        return ApiError::from(not_found()).into_response();
    };
    let headers = [
        (CONTENT_TYPE, logo.content_type),
        (CACHE_CONTROL, assets::caching(&uri, &logo.version)),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, logo.picture.clone()).into_response()
}
