use axum::{Extension, extract::State, response::IntoResponse};
use http::{StatusCode, header::SET_COOKIE};
use keygate_control::SignedInSession;
use keygate_core::Code;
use keygate_wire::ChangePasswordRequest;

use crate::{
    answer::Answer,
    body::JsonBody,
    client::Sender,
    openapi::{PasswordLimits, list},
    state::WebState,
};

/// `POST /api/account/password`: ends all sessions of the account; the answer's cookie is a new one.
#[utoipa::path(
    post,
    path = "/api/account/password",
    tag = "Account",
    operation_id = "changePassword",
    summary = "Change the password",
    description = "All sessions of the account end; the answer's cookie is a new one.",
    request_body = ChangePasswordRequest,
    responses(
        (status = 204, description = "The password is changed.",
            headers(("Set-Cookie" = String, description = "The new session."))),
        (status = 401, description = list(&[Code::InvalidCredentials])),
        PasswordLimits,
    ),
)]
pub(crate) async fn change_password(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    sender: Sender,
    JsonBody(request): JsonBody<ChangePasswordRequest>,
) -> Answer<impl IntoResponse> {
    let (current, new) = (request.current_password, request.password);
    let control = state.control();
    let signed_in = control
        .change_password(&signed_in, &current, &new, &sender.client())
        .await?;
    let cookie = state.cookie().set(&signed_in.token);
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]))
}
