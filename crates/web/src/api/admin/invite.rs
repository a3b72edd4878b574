use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::SignedInSession;
use keygate_core::Code;
use keygate_wire::LinkResponse;

use crate::{
    answer::Answer,
    body::NoFields,
    openapi::{examples, list},
    origin::Origin,
    state::WebState,
};

/// `POST /api/admin/invitations`: makes a link with which somebody makes an account, once, within a
/// week. An extension.
#[utoipa::path(
    post,
    path = "/api/admin/invitations",
    tag = "Admin",
    operation_id = "createInvitation",
    summary = "Make an invitation",
    description = "It can be used to create an account, once, within a week. The setting `accounts.signup` must allow \
        it.",
    responses(
        (status = 201, description = "The link.", body = LinkResponse, example = examples::sign_up_link),
        (status = 403, description = list(&[Code::SignupClosed])),
    ),
)]
pub(crate) async fn invite(
    State(state): State<WebState>,
    Origin(origin): Origin,
    Extension(signed_in): Extension<SignedInSession>,
    NoFields: NoFields,
) -> Answer<impl IntoResponse> {
    let token = state.control().create_invitation(signed_in.actor()).await?;
    let link = LinkResponse::to_sign_up(&origin, &token);
    Ok((StatusCode::CREATED, Json(link)))
}
