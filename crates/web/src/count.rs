use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use keygate_http::{NO_ROUTE, Plane};

use crate::state::WebState;

/// Counts answers by the template of the path, for what stands in a path itself is secret, or
/// anything.
pub(crate) async fn answers(
    State(state): State<WebState>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    state
        .requests()
        .count(Plane::Management, route, response.status());
    response
}
