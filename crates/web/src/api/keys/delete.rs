use axum::{Extension, Json, extract::State, response::IntoResponse};
use keygate_control::SignedInSession;
use keygate_core::Code;
use keygate_wire::{SuccessResponse, schema};

use crate::{answer::Answer, body::NoFields, openapi::list, path_id::PathId, state::WebState};

/// `DELETE /api/keys/{id}`: revokes a key for good.
#[utoipa::path(
    delete,
    path = "/api/keys/{id}",
    tag = "Keys",
    operation_id = "deleteKey",
    summary = "Delete an API key",
    description = "Revokes the key: it stops working at once. This cannot be undone.",
    params(
        ("id" = String, Path, format = "uuid", description = "The id of the key.", example = json!(schema::ID)),
    ),
    responses(
        (status = 200, description = "The key is revoked.", body = SuccessResponse),
        (status = 404, description = list(&[Code::KeyNotFound])),
    ),
)]
pub(crate) async fn delete(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
    NoFields: NoFields,
) -> Answer<impl IntoResponse> {
    let account_id = signed_in.account.id;
    let control = state.control();
    control
        .revoke_key(signed_in.actor(), account_id, &id)
        .await?;
    Ok(Json(SuccessResponse::DONE))
}
