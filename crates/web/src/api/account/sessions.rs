use std::net::IpAddr;

use axum::{Extension, Json, extract::State, response::IntoResponse};
use keygate_control::SignedInSession;
use keygate_core::{SessionId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{answer::Answer, openapi::examples, state::WebState};

/// A signed-in browser or script.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
struct SessionResponse {
    /// Unique; it is not the cookie's value.
    #[schema(value_type = String, format = "uuid")]
    id: SessionId,
    /// Whether it is the one that asks.
    is_current: bool,
    /// The address from which it began.
    #[schema(value_type = Option<String>, required)]
    address: Option<IpAddr>,
    /// What the browser or script called itself.
    #[schema(required)]
    user_agent: Option<String>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last used, to the second.
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
}

/// `GET /api/account/sessions`: the live sessions of the account, the last used first. An extension.
#[utoipa::path(
    get,
    path = "/api/account/sessions",
    tag = "Sessions",
    operation_id = "listSessions",
    summary = "List the account's sessions",
    description = "Those that are live, the last used first.",
    responses(
        (status = 200, description = "The sessions.", body = [SessionResponse], example = json!([examples::session()])),
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
