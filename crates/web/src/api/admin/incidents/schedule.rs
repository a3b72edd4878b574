use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::{ScheduleMaintenance, SignedInSession};

use super::{required_message, required_moment, required_title, take_components};
use crate::{
    answer::Answer,
    api::incident::IncidentResponse,
    fields::Fields,
    openapi::{ScheduleMaintenanceBody, examples},
    state::WebState,
};

/// `POST /api/admin/maintenance`: announces maintenance on the status page. An extension.
#[utoipa::path(
    post,
    path = "/api/admin/maintenance",
    tag = "Status",
    operation_id = "scheduleMaintenance",
    summary = "Schedule maintenance",
    description = "It begins and ends by its times. What fails meanwhile is no outage.",
    request_body(
        content = ScheduleMaintenanceBody,
        example = json!({
            "title": "New disks",
            "message": "No key can be created or changed for some minutes.",
            "components": ["management_api", "storage"],
            "starts_at": "2026-07-01T02:00:00Z",
            "ends_at": "2026-07-01T04:00:00Z",
        }),
    ),
    responses(
        (status = 201, description = "The maintenance.", body = IncidentResponse, example = examples::maintenance),
    ),
)]
pub(crate) async fn schedule(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    fields: Fields,
) -> Answer<impl IntoResponse> {
    let control = state.control();
    let known = ["title", "message", "components", "starts_at", "ends_at"];
    let mut fields = fields.only(&known)?;
    let planned = ScheduleMaintenance {
        title: required_title(&mut fields)?,
        message: required_message(&mut fields)?,
        components: take_components(&mut fields, control)?.unwrap_or_default(),
        starts_at: required_moment(&mut fields, "starts_at")?,
        ends_at: required_moment(&mut fields, "ends_at")?,
    };
    let actor = signed_in.actor();
    let incident = control.schedule_maintenance(actor, planned).await?;
    let shown = IncidentResponse::new(incident, control.now());
    Ok((StatusCode::CREATED, Json(shown)))
}
