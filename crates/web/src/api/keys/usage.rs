use axum::{Extension, Json, extract::State, response::IntoResponse};
use keygate_control::SignedInSession;
use keygate_core::{Code, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer::Answer,
    openapi::{examples, list},
    path_id::PathId,
    state::WebState,
};

/// How a key was used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeyUsage)]
struct UsageResponse {
    /// How many requests it has let through; those of the last second may be missing.
    requests: u64,
    /// When it was last accepted.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_used_at: Option<Timestamp>,
}

/// `GET /api/keys/{id}/usage`. An extension.
#[utoipa::path(
    get,
    path = "/api/keys/{id}/usage",
    tag = "Keys",
    operation_id = "getKeyUsage",
    summary = "Show how an API key was used",
    params(
        ("id" = String, Path, format = "uuid", description = "The id of the key.", example = json!(examples::ID)),
    ),
    responses(
        (status = 200, description = "Its use, to the second.", body = UsageResponse, example = examples::usage),
        (status = 404, description = list(&[Code::KeyNotFound])),
    ),
)]
pub(crate) async fn usage(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
) -> Answer<impl IntoResponse> {
    let key = state.control().get_key(signed_in.account.id, &id).await?;
    Ok(Json(UsageResponse {
        requests: key.request_count,
        last_used_at: key.last_used_at,
    }))
}
