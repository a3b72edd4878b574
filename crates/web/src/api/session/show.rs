use axum::{Extension, Json, response::IntoResponse};
use keygate_control::SignedInSession;

use crate::api::accounts::AccountResponse;

/// `GET /api/session`: whose session it is.
pub(crate) async fn show(Extension(signed_in): Extension<SignedInSession>) -> impl IntoResponse {
    Json(AccountResponse::from(signed_in.account))
}
