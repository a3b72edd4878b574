use axum::{Extension, extract::State, response::IntoResponse};
use http::{StatusCode, header::SET_COOKIE};
use keygate_control::SignedInSession;

use crate::{answer::Answer, body::NoFields, state::WebState};

/// `DELETE /api/session`: signs out.
#[utoipa::path(
    delete,
    path = "/api/session",
    tag = "Sessions",
    operation_id = "signOut",
    summary = "Sign out",
    responses(
        (status = 204, description = "The session is over.",
            headers(("Set-Cookie" = String, description = "Makes a browser forget the cookie."))),
    ),
)]
pub(crate) async fn delete(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    NoFields: NoFields,
) -> Answer<impl IntoResponse> {
    state.control().sign_out(&signed_in).await?;
    let cookie = state.cookie().clear();
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]))
}
