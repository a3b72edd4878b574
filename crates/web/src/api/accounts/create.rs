use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::SignUp;
use keygate_http::ClientAddress;

use super::AccountResponse;
use crate::{answer::Answer, fields::Fields, state::WebState};

/// `POST /api/accounts`: signs up, with the token of a set-up link or an invitation, or without
/// one where sign-up is open.
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
