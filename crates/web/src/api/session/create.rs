use axum::{Extension, extract::State, response::IntoResponse};
use http::{StatusCode, header::SET_COOKIE};
use keygate_http::ClientAddress;

use crate::{answer::Answer, fields::Fields, state::WebState};

/// `POST /api/session`: signs in.
pub(crate) async fn create(
    State(state): State<WebState>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    fields: Fields,
) -> Answer<impl IntoResponse> {
    let mut fields = fields.only(&["email", "password"])?;
    let email = fields.required_string("email")?;
    let password = fields.required_string("password")?;
    let signed_in = state.control().sign_in(&email, &password, address).await?;
    let cookie = state.cookie().set(&signed_in.token);
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]))
}
