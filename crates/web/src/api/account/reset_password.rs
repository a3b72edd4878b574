use axum::{extract::State, response::IntoResponse};
use http::StatusCode;

use crate::{answer::Answer, client::Sender, fields::Fields, state::WebState};

/// `POST /api/account/password-reset`: a new password, by the token of a one-time link. All sessions of
/// the account end. An extension.
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
