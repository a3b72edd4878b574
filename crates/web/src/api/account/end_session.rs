use axum::{Extension, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::SignedInSession;
use keygate_core::Code;
use keygate_wire::schema;

use crate::{answer::Answer, body::NoFields, openapi::list, path_id::PathId, state::WebState};

/// `DELETE /api/account/sessions/{id}`: signs another browser or script out. An extension.
#[utoipa::path(
    delete,
    path = "/api/account/sessions/{id}",
    tag = "Sessions",
    operation_id = "endSession",
    summary = "End a session",
    description = "Signs another browser or script out.",
    params(
        ("id" = String, Path, format = "uuid", description = "The id of the session.", example = json!(schema::ID)),
    ),
    responses(
        (status = 204, description = "The session is over."),
        (status = 404, description = list(&[Code::NotFound])),
    ),
)]
pub(crate) async fn end_session(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
    NoFields: NoFields,
) -> Answer<impl IntoResponse> {
    state.control().end_session(&signed_in, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
