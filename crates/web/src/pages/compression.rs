use axum::response::Response;
use http::{Extensions, HeaderMap, HeaderValue, StatusCode, Version, header::CONTENT_TYPE};

/// Marks a page that shows a secret: beside text that others choose, its length once compressed would
/// tell something about it (BREACH).
#[derive(Debug, Clone, Copy)]
struct HasSecret;

/// A page that shows a secret.
pub(super) fn with_secret(mut response: Response) -> Response {
    response.extensions_mut().insert(HasSecret);
    response
}

/// Whether a response is compressed: pages and what they load, but for those with a secret.
pub(crate) fn is_compressible(
    _: StatusCode,
    _: Version,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_page =
        content_type.is_some_and(|name| name.starts_with(b"text/") || name == b"image/svg+xml");
    is_page && extensions.get::<HasSecret>().is_none()
}
