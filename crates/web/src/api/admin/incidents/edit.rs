use axum::{Extension, Json, extract::State, response::IntoResponse};
use keygate_control::SignedInSession;
use keygate_core::Code;
use keygate_wire::{EditIncidentRequest, IncidentResponse, schema};

use crate::{answer::Answer, body::JsonBody, openapi::list, path_id::PathId, state::WebState};

/// `PATCH /api/admin/incidents/{id}`: corrects an incident. An extension.
#[utoipa::path(
    patch,
    path = "/api/admin/incidents/{id}",
    tag = "Status",
    operation_id = "editIncident",
    summary = "Correct an incident",
    description = "Supply only the fields that are to change. Of an outage that probes found only the title can be \
        changed.",
    params(
        ("id" = String, Path, format = "uuid", description = "The id of the incident.", example = json!(schema::ID)),
    ),
    request_body = EditIncidentRequest,
    responses(
        (status = 200, description = "The incident.", body = IncidentResponse),
        (status = 404, description = list(&[Code::NotFound])),
    ),
)]
pub(crate) async fn edit(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
    JsonBody(request): JsonBody<EditIncidentRequest>,
) -> Answer<impl IntoResponse> {
    let control = state.control();
    let components = request.components.as_ref();
    let components = components.map(|ids| control.parse_components(ids));
    let edit = request.concerning(components.transpose()?)?;
    let incident = control.edit_incident(signed_in.actor(), &id, edit).await?;
    Ok(Json(IncidentResponse::new(incident, control.now())))
}
