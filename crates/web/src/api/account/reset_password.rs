use axum::{extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_wire::ResetPasswordRequest;

use crate::{
    answer::Answer, body::JsonBody, client::Sender, openapi::PasswordLimits, state::WebState,
};

/// `POST /api/account/password-reset`: a new password, by the token of a one-time link. All sessions of
/// the account end. An extension.
#[utoipa::path(
    post,
    path = "/api/account/password-reset",
    tag = "Account",
    operation_id = "resetPassword",
    summary = "Choose a new password by a link",
    description = "With the token of a link that an admin or the operator made. It works once; all sessions of the \
        account end.",
    request_body = ResetPasswordRequest,
    responses(
        (status = 204, description = "The password is changed."),
        PasswordLimits,
    ),
)]
pub(crate) async fn reset_password(
    State(state): State<WebState>,
    sender: Sender,
    JsonBody(request): JsonBody<ResetPasswordRequest>,
) -> Answer<impl IntoResponse> {
    let address = sender.client().address;
    let control = state.control();
    control
        .reset_password(&request.token, &request.password, address)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
