use axum::{Extension, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::SignedInSession;

use crate::{answer::Answer, body::NoFields, state::WebState};

/// `DELETE /api/account/sessions`: signs everybody out of the account but who asks. An extension.
#[utoipa::path(
    delete,
    path = "/api/account/sessions",
    tag = "Sessions",
    operation_id = "endOtherSessions",
    summary = "End all other sessions",
    description = "Ends all sessions of the account except the current one.",
    responses(
        (status = 204, description = "The other sessions are over."),
    ),
)]
pub(crate) async fn end_other_sessions(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    NoFields: NoFields,
) -> Answer<impl IntoResponse> {
    state.control().end_other_sessions(&signed_in).await?;
    Ok(StatusCode::NO_CONTENT)
}
