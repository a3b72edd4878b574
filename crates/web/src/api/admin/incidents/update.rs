use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::SignedInSession;
use keygate_core::Code;

use super::{required_message, take_state};
use crate::{
    answer::Answer,
    api::incident::IncidentResponse,
    fields::Fields,
    openapi::{UpdateIncidentBody, examples, list},
    path_id::PathId,
    state::WebState,
};

/// `POST /api/admin/incidents/{id}/updates`: says something of an incident. An extension.
#[utoipa::path(
    post,
    path = "/api/admin/incidents/{id}/updates",
    tag = "Status",
    operation_id = "updateIncident",
    summary = "Update an incident",
    description = "An incident is over with `resolved`, maintenance with `completed`, before its time too. An outage \
        is over when probes succeed. What is over can only be commented on.",
    params(
        ("id" = String, Path, format = "uuid", description = "The id of the incident.", example = json!(examples::ID)),
    ),
    request_body(
        content = UpdateIncidentBody,
        example = json!({"message": "A disk is full. We are making room.", "state": "identified"}),
    ),
    responses(
        (status = 201, description = "The incident.", body = IncidentResponse, example = examples::incident),
        (status = 404, description = list(&[Code::NotFound])),
    ),
)]
pub(crate) async fn update(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
    fields: Fields,
) -> Answer<impl IntoResponse> {
    let control = state.control();
    let mut fields = fields.only(&["message", "state"])?;
    let message = required_message(&mut fields)?;
    let how_far = take_state(&mut fields)?;
    let actor = signed_in.actor();
    let incident = control
        .update_incident(actor, &id, how_far, message)
        .await?;
    let shown = IncidentResponse::new(incident, control.now());
    Ok((StatusCode::CREATED, Json(shown)))
}
