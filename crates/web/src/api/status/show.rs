use axum::{Json, extract::State, response::IntoResponse};
use http::header::CACHE_CONTROL;

use super::StatusResponse;
use crate::{openapi::examples, state::WebState};

/// How long anybody may keep what is public of the status.
pub(crate) const PUBLIC: &str = "public, max-age=15";

/// `GET /api/status`: how the service does, as the status page shows it. An extension.
#[utoipa::path(
    get,
    path = "/api/status",
    tag = "Status",
    operation_id = "getStatus",
    summary = "See how the service does",
    description = "As the status page shows it, to anybody. It may be kept for 15 seconds. Without the database it says \
        what was known last.",
    responses(
        (status = 200, description = "How it does.", body = StatusResponse, example = examples::status),
    ),
)]
pub(crate) async fn show(State(state): State<WebState>) -> impl IntoResponse {
    let status = state.control().read_status().await;
    let body = Json(StatusResponse::from(status));
    ([(CACHE_CONTROL, PUBLIC)], body)
}
