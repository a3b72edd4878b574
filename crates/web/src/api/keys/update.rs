use axum::{Extension, Json, extract::State, response::IntoResponse};
use keygate_control::SignedInSession;
use keygate_core::Code;
use keygate_wire::{SuccessResponse, UpdateKeyRequest, schema};

use crate::{answer::Answer, body::JsonBody, openapi::list, path_id::PathId, state::WebState};

/// `PATCH /api/keys/{id}`: changes the fields that are supplied.
#[utoipa::path(
    patch,
    path = "/api/keys/{id}",
    tag = "Keys",
    operation_id = "updateKey",
    summary = "Update an API key",
    description = "Supply only the fields that are to change. A key that is deactivated stops working at \
        once.",
    params(
        ("id" = String, Path, format = "uuid", description = "The id of the key.", example = json!(schema::ID)),
    ),
    request_body = UpdateKeyRequest,
    responses(
        (status = 200, description = "The key is changed.", body = SuccessResponse),
        (status = 404, description = list(&[Code::KeyNotFound])),
        (status = 409, description = list(&[Code::KeyLimitReached, Code::KeyExpired])),
    ),
)]
pub(crate) async fn update(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
    JsonBody(request): JsonBody<UpdateKeyRequest>,
) -> Answer<impl IntoResponse> {
    let account_id = signed_in.account.id;
    let control = state.control();
    control
        .update_key(signed_in.actor(), account_id, &id, request.try_into()?)
        .await?;
    Ok(Json(SuccessResponse::DONE))
}
