use axum::{Extension, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::{SignedInSession, parse_account_id};
use keygate_core::Code;
use keygate_wire::schema;

use crate::{answer::Answer, body::NoFields, openapi::list, path_id::PathId, state::WebState};

/// `POST /api/admin/accounts/{id}/suspend`: suspends an account: its sessions end and its keys open
/// nothing, at once. An extension.
#[utoipa::path(
    post,
    path = "/api/admin/accounts/{id}/suspend",
    tag = "Admin",
    operation_id = "suspendAccount",
    summary = "Suspend an account",
    description = "Its sessions end and its keys stop working at once.",
    params(
        ("id" = String, Path, format = "uuid", description = "The id of the account.", example = json!(schema::ID)),
    ),
    responses(
        (status = 204, description = "The account is suspended."),
        (status = 400, description = "- `invalid_request`: the account is one's own"),
        (status = 404, description = list(&[Code::NotFound])),
    ),
)]
pub(crate) async fn suspend(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
    NoFields: NoFields,
) -> Answer<impl IntoResponse> {
    let control = state.control();
    let account_id = parse_account_id(&id)?;
    control
        .suspend_account(signed_in.actor(), account_id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
