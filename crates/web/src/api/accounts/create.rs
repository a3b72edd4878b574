use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::SignUp;
use keygate_core::Code;
use keygate_http::ClientAddress;
use keygate_wire::{AccountResponse, SignUpRequest};

use crate::{
    answer::Answer,
    body::JsonBody,
    openapi::{PasswordLimits, list},
    state::WebState,
};

/// `POST /api/accounts`: signs up, with the token of a set-up link or an invitation, or without
/// one where sign-up is open.
#[utoipa::path(
    post,
    path = "/api/accounts",
    tag = "Account",
    operation_id = "createAccount",
    summary = "Create an account",
    description = "With the token of a set-up link or an invitation, or without one where sign-up is open.",
    request_body = SignUpRequest,
    responses(
        (status = 201, description = "The account.", body = AccountResponse),
        (status = 403, description = list(&[Code::SignupClosed])),
        (status = 409, description = list(&[Code::EmailTaken])),
        PasswordLimits,
    ),
)]
pub(crate) async fn create(
    State(state): State<WebState>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    JsonBody(request): JsonBody<SignUpRequest>,
) -> Answer<impl IntoResponse> {
    let request = SignUp {
        email: &request.email,
        password: &request.password,
        invitation: request.invitation.as_deref(),
        address,
    };
    let account = state.control().sign_up(request).await?;
    Ok((StatusCode::CREATED, Json(AccountResponse::from(account))))
}
