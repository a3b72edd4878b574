use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::Uri;
use keygate_control::SignedInSession;
use keygate_core::Code;
use keygate_wire::{AuditEntryResponse, schema};

use crate::{
    answer::Answer,
    api::audit::{all, parse_before},
    openapi::list,
    path_id::PathId,
    query::QueryFields,
    state::WebState,
};

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
        ("before" = Option<u64>, Query, example = json!(6),
            description = "Goes on after the last page: its last entry's number. Only earlier ones are listed."),
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
    uri: Uri,
) -> Answer<impl IntoResponse> {
    let before = parse_before(&mut QueryFields::only(&uri, &["before"])?)?;
    let control = state.control();
    let entries = control
        .list_key_history(signed_in.account.id, &id, before)
        .await?;
    Ok(Json(all(entries)))
}
