use axum::{Extension, Json, response::IntoResponse};
use keygate_control::SignedInSession;
use keygate_wire::AccountResponse;

/// `GET /api/session`: whose session it is.
#[utoipa::path(
    get,
    path = "/api/session",
    tag = "Sessions",
    operation_id = "getSession",
    summary = "Show who is signed in",
    responses(
        (status = 200, description = "The account.", body = AccountResponse),
    ),
)]
pub(crate) async fn show(Extension(signed_in): Extension<SignedInSession>) -> impl IntoResponse {
    Json(AccountResponse::from(signed_in.account))
}
