use axum::{Json, extract::State, response::IntoResponse};
use keygate_wire::{IncidentResponse, ListIncidentsQuery};

use crate::{answer::Answer, query::Query, state::WebState};

/// `GET /api/admin/incidents`: up to 100 incidents, newest first; `?before=` pages on. An extension.
#[utoipa::path(
    get,
    path = "/api/admin/incidents",
    tag = "Status",
    operation_id = "listIncidents",
    summary = "List incidents",
    description = "Up to 100 incidents and maintenance, newest first.",
    params(ListIncidentsQuery),
    responses(
        (status = 200, description = "The incidents.", body = [IncidentResponse]),
    ),
)]
pub(crate) async fn list(
    State(state): State<WebState>,
    Query(ListIncidentsQuery { before }): Query<ListIncidentsQuery>,
) -> Answer<impl IntoResponse> {
    let control = state.control();
    let incidents = control.list_incidents(before).await?;
    Ok(Json(IncidentResponse::all(incidents, control.now())))
}
