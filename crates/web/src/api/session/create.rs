use axum::{extract::State, response::IntoResponse};
use http::{StatusCode, header::SET_COOKIE};
use keygate_core::Code;
use keygate_wire::SignInRequest;

use crate::{
    answer::Answer,
    body::JsonBody,
    client::Sender,
    openapi::{PasswordLimits, list},
    state::WebState,
};

/// `POST /api/session`: signs in.
#[utoipa::path(
    post,
    path = "/api/session",
    tag = "Sessions",
    operation_id = "signIn",
    summary = "Sign in",
    request_body = SignInRequest,
    responses(
        (status = 204, description = "A session has begun.",
            headers(("Set-Cookie" = String, description = "The session."))),
        (status = 401, description = list(&[Code::InvalidCredentials])),
        (status = 403, description = list(&[Code::AccountSuspended])),
        PasswordLimits,
    ),
)]
pub(crate) async fn create(
    State(state): State<WebState>,
    sender: Sender,
    JsonBody(SignInRequest { email, password }): JsonBody<SignInRequest>,
) -> Answer<impl IntoResponse> {
    let control = state.control();
    let signed_in = control.sign_in(&email, &password, &sender.client()).await?;
    let cookie = state.cookie().set(&signed_in.token);
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]))
}
