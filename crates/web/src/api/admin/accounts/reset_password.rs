use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::{SignedInSession, parse_account_id};
use keygate_core::Code;
use keygate_wire::{LinkResponse, schema};

use crate::{
    answer::Answer, body::NoFields, openapi::list, origin::Origin, path_id::PathId, state::WebState,
};

/// `POST /api/admin/accounts/{id}/password-reset`: makes a link with which the owner of an account
/// chooses a new password, once, within a day. An extension.
#[utoipa::path(
    post,
    path = "/api/admin/accounts/{id}/password-reset",
    tag = "Admin",
    operation_id = "createPasswordReset",
    summary = "Make a link for a new password",
    description = "The owner of the account chooses a new password there, once, within a day. A link that was made \
        before no longer works.",
    params(
        ("id" = String, Path, format = "uuid", description = "The id of the account.", example = json!(schema::ID)),
    ),
    responses(
        (status = 201, description = "The link.", body = LinkResponse),
        (status = 404, description = list(&[Code::NotFound])),
    ),
)]
pub(crate) async fn reset_password(
    State(state): State<WebState>,
    Origin(origin): Origin,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
    NoFields: NoFields,
) -> Answer<impl IntoResponse> {
    let control = state.control();
    let account_id = parse_account_id(&id)?;
    let token = control.create_password_reset(signed_in.actor(), account_id);
    let link = LinkResponse::to_reset_password(&origin, &token.await?);
    Ok((StatusCode::CREATED, Json(link)))
}
