use axum::{Extension, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::SignedInSession;

use crate::{answer::Answer, path_id::PathId, state::WebState};

/// `DELETE /api/account/sessions/{id}`: signs another browser or script out. An extension.
pub(crate) async fn end_session(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
) -> Answer<impl IntoResponse> {
    state.control().end_session(&signed_in, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
