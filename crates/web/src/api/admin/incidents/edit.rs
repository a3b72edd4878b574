use axum::{Extension, Json, extract::State, response::IntoResponse};
use keygate_control::{IncidentEdit, SignedInSession};
use keygate_core::{Code, Problem};

use super::{take_components, take_moment, take_title};
use crate::{
    answer::Answer,
    api::incident::IncidentResponse,
    fields::Fields,
    openapi::{EditIncidentBody, examples, list},
    path_id::PathId,
    state::WebState,
};

const FIELDS: [&str; 4] = ["title", "components", "starts_at", "ends_at"];

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
        ("id" = String, Path, format = "uuid", description = "The id of the incident.", example = json!(examples::ID)),
    ),
    request_body(
        content = EditIncidentBody,
        example = json!({"title": "Slow answers", "components": ["data_plane"], "starts_at": "2026-06-10T07:30:00Z"}),
    ),
    responses(
        (status = 200, description = "The incident.", body = IncidentResponse, example = examples::incident),
        (status = 404, description = list(&[Code::NotFound])),
    ),
)]
pub(crate) async fn edit(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
    fields: Fields,
) -> Answer<impl IntoResponse> {
    let control = state.control();
    let mut fields = fields.only(&FIELDS)?;
    if fields.is_empty() {
        let names = FIELDS.join("\", \"");
        let message = format!("Give at least one of \"{names}\".");
        return Err(Problem::new(Code::MissingParameter, message).into());
    }
    let edit = IncidentEdit {
        title: take_title(&mut fields)?,
        components: take_components(&mut fields, control)?,
        starts_at: take_moment(&mut fields, "starts_at")?,
        ends_at: take_moment(&mut fields, "ends_at")?,
    };
    let incident = control.edit_incident(signed_in.actor(), &id, edit).await?;
    Ok(Json(IncidentResponse::new(incident, control.now())))
}
