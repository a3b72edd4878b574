use axum::{Extension, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::SignedInSession;

use crate::{answer::Answer, state::WebState};

/// `DELETE /api/account/sessions`: signs everybody out of the account but who asks. An extension.
pub(crate) async fn end_other_sessions(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
) -> Answer<impl IntoResponse> {
    state.control().end_other_sessions(&signed_in).await?;
    Ok(StatusCode::NO_CONTENT)
}
