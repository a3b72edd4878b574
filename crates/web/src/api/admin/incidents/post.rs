use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::SignedInSession;
use keygate_wire::{IncidentResponse, PostIncidentRequest};

use crate::{answer::Answer, body::JsonBody, state::WebState};

/// `POST /api/admin/incidents`: posts an incident on the status page. An extension.
#[utoipa::path(
    post,
    path = "/api/admin/incidents",
    tag = "Status",
    operation_id = "postIncident",
    summary = "Post an incident",
    description = "It is on the status page.",
    request_body = PostIncidentRequest,
    responses(
        (status = 201, description = "The incident.", body = IncidentResponse),
    ),
)]
pub(crate) async fn post(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    JsonBody(request): JsonBody<PostIncidentRequest>,
) -> Answer<impl IntoResponse> {
    let control = state.control();
    let components = control.parse_components(request.components.iter().flatten())?;
    let post = request.concerning(components);
    let incident = control.post_incident(signed_in.actor(), post).await?;
    let shown = IncidentResponse::new(incident, control.now());
    Ok((StatusCode::CREATED, Json(shown)))
}
