use axum::{Extension, Json, extract::State, response::IntoResponse};
use keygate_control::SignedInSession;
use keygate_core::Code;
use keygate_wire::{KeyResponse, schema};

use crate::{answer::Answer, openapi::list, path_id::PathId, state::WebState};

/// `GET /api/keys/{id}`: one key, as it stands in the list. An extension.
#[utoipa::path(
    get,
    path = "/api/keys/{id}",
    tag = "Keys",
    operation_id = "getKey",
    summary = "Show an API key",
    description = "One key as in the list, in any state.",
    params(
        ("id" = String, Path, format = "uuid", description = "The id of the key.", example = json!(schema::ID)),
    ),
    responses(
        (status = 200, description = "The key.", body = KeyResponse),
        (status = 404, description = list(&[Code::KeyNotFound])),
    ),
)]
pub(crate) async fn show(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
) -> Answer<impl IntoResponse> {
    let key = state.control().get_key(signed_in.account.id, &id).await?;
    Ok(Json(KeyResponse::from(key)))
}
