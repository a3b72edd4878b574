use axum::{Extension, Json, extract::State, response::IntoResponse};
use keygate_control::SignedInSession;
use keygate_wire::SessionResponse;

use crate::{answer::Answer, state::WebState};

/// `GET /api/account/sessions`: the live sessions of the account, the last used first. An extension.
#[utoipa::path(
    get,
    path = "/api/account/sessions",
    tag = "Sessions",
    operation_id = "listSessions",
    summary = "List the account's sessions",
    description = "Those that are live, the last used first.",
    responses(
        (status = 200, description = "The sessions.", body = [SessionResponse]),
    ),
)]
pub(crate) async fn sessions(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
) -> Answer<impl IntoResponse> {
    let sessions = state.control().list_sessions(&signed_in).await?;
    let sessions = sessions.into_iter().map(|session| SessionResponse {
        id: session.id,
        is_current: session.id == signed_in.session.id,
        address: session.origin.address,
        user_agent: session.origin.user_agent,
        created_at: session.created_at,
        last_seen_at: session.last_seen_at,
    });
    Ok(Json(sessions.collect::<Vec<_>>()))
}
