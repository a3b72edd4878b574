use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::SignedInSession;

use crate::{answer::Answer, links::LinkResponse, origin::Origin, state::WebState};

/// `POST /api/admin/invitations`: makes a link with which somebody makes an account, once, within a
/// week. An extension.
pub(crate) async fn invite(
    State(state): State<WebState>,
    Origin(origin): Origin,
    Extension(signed_in): Extension<SignedInSession>,
) -> Answer<impl IntoResponse> {
    let token = state.control().create_invitation(signed_in.actor()).await?;
    let link = LinkResponse::to_sign_up(&origin, &token);
    Ok((StatusCode::CREATED, Json(link)))
}
