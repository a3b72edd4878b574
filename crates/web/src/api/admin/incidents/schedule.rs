use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::SignedInSession;
use keygate_wire::{IncidentResponse, ScheduleMaintenanceRequest};

use crate::{answer::Answer, body::JsonBody, openapi::examples, state::WebState};

/// `POST /api/admin/maintenance`: announces maintenance on the status page. An extension.
#[utoipa::path(
    post,
    path = "/api/admin/maintenance",
    tag = "Status",
    operation_id = "scheduleMaintenance",
    summary = "Schedule maintenance",
    description = "It begins and ends at its times. Failures in between are not outages.",
    request_body = ScheduleMaintenanceRequest,
    responses(
        (status = 201, description = "The maintenance.", body = IncidentResponse, example = examples::maintenance),
    ),
)]
pub(crate) async fn schedule(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    JsonBody(request): JsonBody<ScheduleMaintenanceRequest>,
) -> Answer<impl IntoResponse> {
    let control = state.control();
    let components = control.parse_components(request.components.iter().flatten())?;
    let planned = request.concerning(components);
    let actor = signed_in.actor();
    let incident = control.schedule_maintenance(actor, planned).await?;
    let shown = IncidentResponse::new(incident, control.now());
    Ok((StatusCode::CREATED, Json(shown)))
}
