use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::SignedInSession;
use keygate_core::Code;
use keygate_wire::{InviteRequest, LinkResponse};

use crate::{
    answer::Answer,
    body::OptionalBody,
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
        it. Without a body it is good for any address.",
    request_body = Option<InviteRequest>,
    responses(
        (status = 201, description = "The link.", body = LinkResponse, example = examples::sign_up_link),
        (status = 403, description = list(&[Code::SignupClosed])),
        (status = 409, description = list(&[Code::EmailTaken])),
    ),
)]
pub(crate) async fn invite(
    State(state): State<WebState>,
    Origin(origin): Origin,
    Extension(signed_in): Extension<SignedInSession>,
    OptionalBody(request): OptionalBody<InviteRequest>,
) -> Answer<impl IntoResponse> {
    let (control, email) = (state.control(), request.email.as_deref());
    let made = control.create_invitation(signed_in.actor(), email).await?;
    let link = LinkResponse::to_sign_up(&origin, &made);
    Ok((StatusCode::CREATED, Json(link)))
}
