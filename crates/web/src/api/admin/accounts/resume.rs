use axum::{Extension, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::{SignedInSession, parse_account_id};
use keygate_core::Code;
use keygate_wire::schema;

use crate::{answer::Answer, body::NoFields, openapi::list, path_id::PathId, state::WebState};

/// `POST /api/admin/accounts/{id}/resume`: lifts a suspension. An extension.
#[utoipa::path(
    post,
    path = "/api/admin/accounts/{id}/resume",
    tag = "Admin",
    operation_id = "resumeAccount",
    summary = "Lift a suspension",
    description = "The account's keys work again, and its owner can sign in.",
    params(
        ("id" = String, Path, format = "uuid", description = "The id of the account.", example = json!(schema::ID)),
    ),
    responses(
        (status = 204, description = "The account is not suspended."),
        (status = 404, description = list(&[Code::NotFound])),
    ),
)]
pub(crate) async fn resume(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
    NoFields: NoFields,
) -> Answer<impl IntoResponse> {
    let control = state.control();
    let account_id = parse_account_id(&id)?;
    control
        .resume_account(signed_in.actor(), account_id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
