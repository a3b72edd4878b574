use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::SignedInSession;
use keygate_core::Code;
use keygate_wire::{IncidentResponse, UpdateIncidentRequest, schema};

use crate::{answer::Answer, body::JsonBody, openapi::list, path_id::PathId, state::WebState};

/// `POST /api/admin/incidents/{id}/updates`: says something of an incident. An extension.
#[utoipa::path(
    post,
    path = "/api/admin/incidents/{id}/updates",
    tag = "Status",
    operation_id = "updateIncident",
    summary = "Update an incident",
    description = "`resolved` ends an incident, `completed` ends maintenance, also early. An outage ends \
        when probes succeed. After its end an incident can only be commented on.",
    params(
        ("id" = String, Path, format = "uuid", description = "The id of the incident.", example = json!(schema::ID)),
    ),
    request_body = UpdateIncidentRequest,
    responses(
        (status = 201, description = "The incident.", body = IncidentResponse),
        (status = 404, description = list(&[Code::NotFound])),
    ),
)]
pub(crate) async fn update(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
    JsonBody(UpdateIncidentRequest {
        message,
        state: status,
    }): JsonBody<UpdateIncidentRequest>,
) -> Answer<impl IntoResponse> {
    let control = state.control();
    let actor = signed_in.actor();
    let incident = control.update_incident(actor, &id, status, message).await?;
    let shown = IncidentResponse::new(incident, control.now());
    Ok((StatusCode::CREATED, Json(shown)))
}
