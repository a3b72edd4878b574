use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::SignUp;
use keygate_core::Code;
use keygate_http::ClientAddress;

use super::AccountResponse;
use crate::{
    answer::Answer,
    fields::Fields,
    openapi::{PasswordLimits, SignUp as SignUpBody, examples, list},
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
    request_body(
        content = SignUpBody,
        example = json!({
            "email": "ada@example.com",
            "password": "correct horse battery staple",
            "invitation": examples::TOKEN,
        }),
    ),
    responses(
        (status = 201, description = "The account.", body = AccountResponse, example = examples::account),
        (status = 403, description = list(&[Code::SignupClosed])),
        (status = 409, description = list(&[Code::EmailTaken])),
        PasswordLimits,
    ),
)]
pub(crate) async fn create(
    State(state): State<WebState>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    fields: Fields,
) -> Answer<impl IntoResponse> {
    let mut fields = fields.only(&["email", "password", "invitation"])?;
    let email = fields.required_string("email")?;
    let password = fields.required_string("password")?;
    let invitation = fields.optional_string("invitation")?;
    let request = SignUp {
        email: &email,
        password: &password,
        invitation: invitation.as_deref(),
        address,
    };
    let account = state.control().sign_up(request).await?;
    Ok((StatusCode::CREATED, Json(AccountResponse::from(account))))
}
