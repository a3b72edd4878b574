use axum::{Extension, Json, extract::State, response::IntoResponse};
use keygate_control::SignedInSession;
use keygate_core::Code;
use keygate_wire::{EditIncidentUpdateRequest, IncidentResponse, schema};

use crate::{
    answer::Answer,
    body::JsonBody,
    openapi::list,
    path_id::{PathId, PathUpdateId},
    state::WebState,
};

/// `PATCH /api/admin/incidents/{id}/updates/{update_id}`: corrects what was said. An extension.
#[utoipa::path(
    patch,
    path = "/api/admin/incidents/{id}/updates/{update_id}",
    tag = "Status",
    operation_id = "editIncidentUpdate",
    summary = "Correct an update of an incident",
    params(
        ("id" = String, Path, format = "uuid", description = "The id of the incident.", example = json!(schema::ID)),
        ("update_id" = String, Path, format = "uuid", description = "The id of the update.",
            example = json!(schema::LATER_ID)),
    ),
    request_body = EditIncidentUpdateRequest,
    responses(
        (status = 200, description = "The incident.", body = IncidentResponse),
        (status = 404, description = list(&[Code::NotFound])),
    ),
)]
pub(crate) async fn edit_update(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
    PathUpdateId(update_id): PathUpdateId,
    JsonBody(request): JsonBody<EditIncidentUpdateRequest>,
) -> Answer<impl IntoResponse> {
    let control = state.control();
    let actor = signed_in.actor();
    let edited = control.edit_incident_update(actor, &id, &update_id, request.message);
    let incident = edited.await?;
    Ok(Json(IncidentResponse::new(incident, control.now())))
}
