use axum::{extract::State, response::IntoResponse};
use http::{
    HeaderMap,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use keygate_control::Status;
use keygate_wire::StatusResponse;

use super::{SameStatus, response};
use crate::{
    answer::{Answer, shutting_down},
    state::WebState,
};

/// How long anybody may keep what is public of the status.
pub(crate) const PUBLIC: &str = "public, max-age=15";

/// `GET /api/status`: how the service does, as the status page shows it. An extension.
#[utoipa::path(
    get,
    path = "/api/status",
    tag = "Status",
    operation_id = "getStatus",
    summary = "See how the service does",
    description = "The content of the public status page. It may be cached for 15 seconds. Without the \
        database it is the last known status.",
    responses(
        (status = 200, description = "How it does.", body = StatusResponse),
    ),
)]
pub(crate) async fn show(
    State(state): State<WebState>,
    headers: HeaderMap,
) -> Answer<impl IntoResponse> {
    let status = SameStatus(state.control().read_status().await);
    let rendered = state.status_pages().json.get(status, render).await;
    let rendered = rendered.ok_or_else(shutting_down)?;
    let about = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, PUBLIC)];
    Ok(rendered.answer(&headers, |body| (about, body).into_response()))
}

fn render(SameStatus(status): &SameStatus) -> String {
    let response = response(Status::clone(status));
    serde_json::to_string(&response).expect("it serialises")
}
