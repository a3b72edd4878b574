use axum::{Extension, Json, extract::State, response::IntoResponse};
use keygate_control::SignedInSession;
use keygate_core::Code;
use keygate_wire::{AuditEntryResponse, ListKeyHistoryQuery, schema};

use crate::{answer::Answer, openapi::list, path_id::PathId, query::Query, state::WebState};

/// `GET /api/keys/{id}/history`: what was done with a key, newest first, at most 100 entries;
/// `?before=` pages on. An extension.
#[utoipa::path(
    get,
    path = "/api/keys/{id}/history",
    tag = "Keys",
    operation_id = "listKeyHistory",
    summary = "List what was done with an API key",
    description = "Up to 100 entries of the record of changes, newest first.",
    params(
        ("id" = String, Path, format = "uuid", description = "The id of the key.", example = json!(schema::ID)),
        ListKeyHistoryQuery,
    ),
    responses(
        (status = 200, description = "The entries.", body = [AuditEntryResponse]),
        (status = 404, description = list(&[Code::KeyNotFound])),
    ),
)]
pub(crate) async fn history(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
    Query(ListKeyHistoryQuery { before }): Query<ListKeyHistoryQuery>,
) -> Answer<impl IntoResponse> {
    let control = state.control();
    let entries = control
        .list_key_history(signed_in.account.id, &id, before)
        .await?;
    Ok(Json(AuditEntryResponse::all(entries)))
}
