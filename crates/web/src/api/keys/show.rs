use axum::{Extension, Json, extract::State, response::IntoResponse};
use keygate_control::SignedInSession;

use super::KeyResponse;
use crate::{answer::Answer, path_id::PathId, state::WebState};

/// `GET /api/keys/{id}`: one key, as it stands in the list. An extension.
pub(crate) async fn show(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
) -> Answer<impl IntoResponse> {
    let key = state.control().get_key(signed_in.account.id, &id).await?;
    Ok(Json(KeyResponse::from(key)))
}
