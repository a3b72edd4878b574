use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::{PostIncident, SignedInSession};

use super::{required_message, required_title, take_components, take_moment, take_state};
use crate::{
    answer::Answer,
    api::incident::IncidentResponse,
    fields::Fields,
    openapi::{PostIncidentBody, examples},
    state::WebState,
};

/// `POST /api/admin/incidents`: posts an incident on the status page. An extension.
#[utoipa::path(
    post,
    path = "/api/admin/incidents",
    tag = "Status",
    operation_id = "postIncident",
    summary = "Post an incident",
    description = "It is on the status page from now on.",
    request_body(
        content = PostIncidentBody,
        example = json!({
            "title": "Slow answers",
            "message": "Answers take several seconds. We are looking for the reason.",
            "components": ["data_plane"],
            "state": "investigating",
            "starts_at": "2026-06-10T07:30:00Z",
        }),
    ),
    responses(
        (status = 201, description = "The incident.", body = IncidentResponse, example = examples::incident),
    ),
)]
pub(crate) async fn post(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    fields: Fields,
) -> Answer<impl IntoResponse> {
    let control = state.control();
    let known = ["title", "message", "components", "state", "starts_at"];
    let mut fields = fields.only(&known)?;
    let post = PostIncident {
        title: required_title(&mut fields)?,
        message: required_message(&mut fields)?,
        components: take_components(&mut fields, control)?.unwrap_or_default(),
        state: take_state(&mut fields)?,
        starts_at: take_moment(&mut fields, "starts_at")?,
    };
    let incident = control.post_incident(signed_in.actor(), post).await?;
    let shown = IncidentResponse::new(incident, control.now());
    Ok((StatusCode::CREATED, Json(shown)))
}
