use axum::{extract::State, response::IntoResponse};
use http::{StatusCode, header::SET_COOKIE};

use crate::{answer::Answer, client::Sender, fields::Fields, state::WebState};

/// `POST /api/session`: signs in.
pub(crate) async fn create(
    State(state): State<WebState>,
    sender: Sender,
    fields: Fields,
) -> Answer<impl IntoResponse> {
    let mut fields = fields.only(&["email", "password"])?;
    let email = fields.required_string("email")?;
    let password = fields.required_string("password")?;
    let control = state.control();
    let signed_in = control.sign_in(&email, &password, &sender.client()).await?;
    let cookie = state.cookie().set(&signed_in.token);
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]))
}
