use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::Uri;
use keygate_control::SignedInSession;

use crate::{
    answer::Answer,
    api::audit::{EntryResponse, parse_before},
    path_id::PathId,
    query::QueryFields,
    state::WebState,
};

/// `GET /api/keys/{id}/history`: what was done with a key, newest first, at most 100 entries;
/// `?before=` pages on. An extension.
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
    Ok(Json(EntryResponse::all(entries)))
}
