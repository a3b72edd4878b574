use axum::{Extension, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::SignedInSession;

use crate::{answer::Answer, path_id::PathId, state::WebState};

/// `POST /api/admin/accounts/{id}/suspend`: suspends an account: its sessions end and its keys open
/// nothing, at once. An extension.
pub(crate) async fn suspend(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
) -> Answer<impl IntoResponse> {
    let control = state.control();
    let account_id = control.get_account_summary(&id).await?.account.id;
    control
        .suspend_account(signed_in.actor(), account_id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
