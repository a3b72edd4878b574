use axum::{extract::State, response::IntoResponse};
use http::StatusCode;

use crate::{
    answer::Answer,
    client::Sender,
    fields::Fields,
    openapi::{PasswordLimits, ResetPassword, examples},
    state::WebState,
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
    request_body(
        content = ResetPassword,
        example = json!({"token": examples::TOKEN, "password": "a wholly different set of words"}),
    ),
    responses(
        (status = 204, description = "The password is changed."),
        PasswordLimits,
    ),
)]
pub(crate) async fn reset_password(
    State(state): State<WebState>,
    sender: Sender,
    fields: Fields,
) -> Answer<impl IntoResponse> {
    let mut fields = fields.only(&["token", "password"])?;
    let token = fields.required_string("token")?;
    let password = fields.required_string("password")?;
    let control = state.control();
    control
        .reset_password(&token, &password, sender.client().address)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
