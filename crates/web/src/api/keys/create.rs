use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::SignedInSession;
use keygate_core::Code;
use keygate_wire::{CreateKeyRequest, CreateKeyResponse};

use crate::{answer::Answer, body::JsonBody, openapi::list, state::WebState};

/// `POST /api/keys`: issues a key.
#[utoipa::path(
    post,
    path = "/api/keys",
    tag = "Keys",
    operation_id = "createKey",
    summary = "Create an API key",
    description = "The secret is in `key`, this once; it is never shown again. An account has at most 10 active \
        keys, unless the operator says otherwise.",
    request_body = CreateKeyRequest,
    responses(
        (status = 201, description = "The key and its secret.", body = CreateKeyResponse),
        (status = 409, description = list(&[Code::KeyLimitReached])),
    ),
)]
pub(crate) async fn create(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    JsonBody(request): JsonBody<CreateKeyRequest>,
) -> Answer<impl IntoResponse> {
    let account_id = signed_in.account.id;
    let control = state.control();
    let issued = control
        .issue_key(signed_in.actor(), account_id, request.into())
        .await?;
    let response = CreateKeyResponse::from(issued);
    Ok((StatusCode::CREATED, Json(response)))
}
