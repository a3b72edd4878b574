use axum::{Extension, Json, extract::State, response::IntoResponse};
use keygate_control::SignedInSession;
use keygate_core::Timestamp;
use serde::Serialize;

use crate::{answer::Answer, path_id::PathId, state::WebState};

/// How a key was used.
#[derive(Debug, Serialize)]
struct UsageResponse {
    /// How many requests it has let through; those of the last second may be missing.
    requests: u64,
    last_used_at: Option<Timestamp>,
}

/// `GET /api/keys/{id}/usage`. An extension.
pub(crate) async fn usage(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
) -> Answer<impl IntoResponse> {
    let key = state.control().get_key(signed_in.account.id, &id).await?;
    Ok(Json(UsageResponse {
        requests: key.request_count,
        last_used_at: key.last_used_at,
    }))
}
