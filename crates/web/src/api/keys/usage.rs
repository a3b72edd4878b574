use axum::{Extension, Json, extract::State, response::IntoResponse};
use keygate_control::SignedInSession;
use keygate_core::Code;
use keygate_wire::{KeyUsageResponse, schema};

use crate::{answer::Answer, openapi::list, path_id::PathId, state::WebState};

/// `GET /api/keys/{id}/usage`. An extension.
#[utoipa::path(
    get,
    path = "/api/keys/{id}/usage",
    tag = "Keys",
    operation_id = "getKeyUsage",
    summary = "Show how an API key was used",
    params(
        ("id" = String, Path, format = "uuid", description = "The id of the key.", example = json!(schema::ID)),
    ),
    responses(
        (status = 200, description = "Its use, updated every second.", body = KeyUsageResponse),
        (status = 404, description = list(&[Code::KeyNotFound])),
    ),
)]
pub(crate) async fn usage(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
) -> Answer<impl IntoResponse> {
    let key = state.control().get_key(signed_in.account.id, &id).await?;
    Ok(Json(KeyUsageResponse::from(key)))
}
