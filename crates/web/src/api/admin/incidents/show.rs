use axum::{Json, extract::State, response::IntoResponse};
use keygate_core::Code;
use keygate_wire::{IncidentResponse, schema};

use crate::{answer::Answer, openapi::list, path_id::PathId, state::WebState};

/// `GET /api/admin/incidents/{id}`: an incident. An extension.
#[utoipa::path(
    get,
    path = "/api/admin/incidents/{id}",
    tag = "Status",
    operation_id = "getIncident",
    summary = "Look at an incident",
    params(
        ("id" = String, Path, format = "uuid", description = "The id of the incident.", example = json!(schema::ID)),
    ),
    responses(
        (status = 200, description = "The incident.", body = IncidentResponse),
        (status = 404, description = list(&[Code::NotFound])),
    ),
)]
pub(crate) async fn show(
    State(state): State<WebState>,
    PathId(id): PathId,
) -> Answer<impl IntoResponse> {
    let control = state.control();
    let incident = control.get_incident(&id).await?;
    Ok(Json(IncidentResponse::new(incident, control.now())))
}
