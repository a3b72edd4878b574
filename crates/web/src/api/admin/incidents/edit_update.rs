use axum::{Extension, Json, extract::State, response::IntoResponse};
use keygate_control::SignedInSession;
use keygate_core::Code;

use super::required_message;
use crate::{
    answer::Answer,
    api::incident::IncidentResponse,
    fields::Fields,
    openapi::{EditUpdateBody, examples, list},
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
        ("id" = String, Path, format = "uuid", description = "The id of the incident.", example = json!(examples::ID)),
        ("update_id" = String, Path, format = "uuid", description = "The id of the update.",
            example = json!(examples::LATER_ID)),
    ),
    request_body(
        content = EditUpdateBody,
        example = json!({"message": "Answers take several seconds. We are looking for the reason."}),
    ),
    responses(
        (status = 200, description = "The incident.", body = IncidentResponse, example = examples::incident),
        (status = 404, description = list(&[Code::NotFound])),
    ),
)]
pub(crate) async fn edit_update(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
    PathUpdateId(update_id): PathUpdateId,
    fields: Fields,
) -> Answer<impl IntoResponse> {
    let control = state.control();
    let mut fields = fields.only(&["message"])?;
    let message = required_message(&mut fields)?;
    let actor = signed_in.actor();
    let edited = control.edit_incident_update(actor, &id, &update_id, message);
    let incident = edited.await?;
    Ok(Json(IncidentResponse::new(incident, control.now())))
}
