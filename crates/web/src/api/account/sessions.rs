use std::net::IpAddr;

use axum::{Extension, Json, extract::State, response::IntoResponse};
use keygate_control::SignedInSession;
use keygate_core::{SessionId, Timestamp};
use serde::Serialize;

use crate::{answer::Answer, state::WebState};

/// A signed-in browser or script.
#[derive(Debug, Serialize)]
struct SessionResponse {
    id: SessionId,
    /// Whether it is the one that asks.
    is_current: bool,
    /// The address from which it began.
    address: Option<IpAddr>,
    /// What the browser or script called itself.
    user_agent: Option<String>,
    created_at: Timestamp,
    last_seen_at: Timestamp,
}

/// `GET /api/account/sessions`: the live sessions of the account, the last used first. An extension.
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
