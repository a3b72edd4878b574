use axum::{Extension, Json, extract::State, response::IntoResponse};
use keygate_control::SignedInSession;
use keygate_wire::{KeyResponse, ListKeysQuery};

use crate::{answer::Answer, query::Query, state::WebState};

/// `GET /api/keys`: up to 100 keys, newest first. Extensions: `?status=`, `?before=`.
#[utoipa::path(
    get,
    path = "/api/keys",
    tag = "Keys",
    operation_id = "listKeys",
    summary = "List API keys",
    description = "Up to 100 of the account's active keys, newest first. Secrets are never included.",
    params(ListKeysQuery),
    responses(
        (status = 200, description = "The keys.", body = [KeyResponse]),
    ),
)]
pub(crate) async fn list(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    Query(ListKeysQuery { status, before }): Query<ListKeysQuery>,
) -> Answer<impl IntoResponse> {
    let control = state.control();
    let keys = control
        .list_keys(signed_in.account.id, status.unwrap_or_default(), before)
        .await?;
    let keys: Vec<KeyResponse> = keys.into_iter().map(KeyResponse::from).collect();
    Ok(Json(keys))
}
