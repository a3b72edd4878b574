use axum::{Extension, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::SignedInSession;
use keygate_core::Code;
use keygate_wire::schema;

use crate::{answer::Answer, body::NoFields, openapi::list, path_id::PathId, state::WebState};

/// `DELETE /api/admin/links/{id}`: withdraws a one-time link. An extension.
#[utoipa::path(
    delete,
    path = "/api/admin/links/{id}",
    tag = "Admin",
    operation_id = "withdrawLink",
    summary = "Withdraw a one-time link",
    description = "It stops working at once.",
    params(
        ("id" = String, Path, format = "uuid", description = "The id of the link.", example = json!(schema::ID)),
    ),
    responses(
        (status = 204, description = "The link is withdrawn."),
        (status = 404, description = list(&[Code::NotFound])),
    ),
)]
pub(crate) async fn withdraw(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
    NoFields: NoFields,
) -> Answer<impl IntoResponse> {
    let actor = signed_in.actor();
    state.control().withdraw_link(actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
