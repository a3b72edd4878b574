use axum::{Extension, extract::State, response::IntoResponse};
use keygate_control::SignedInSession;

use crate::{
    answer::{Answer, success},
    path_id::PathId,
    state::WebState,
};

/// `DELETE /api/keys/{id}`: revokes a key for good.
pub(crate) async fn delete(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
) -> Answer<impl IntoResponse> {
    let account_id = signed_in.account.id;
    let control = state.control();
    control
        .revoke_key(signed_in.actor(), account_id, &id)
        .await?;
    Ok(success())
}
