use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::Uri;
use keygate_control::{KeyStatus, SignedInSession};
use keygate_core::{KeyId, Problem};

use super::KeyResponse;
use crate::{answer::Answer, query::QueryFields, state::WebState};

/// `GET /api/keys`: up to 100 keys, newest first. Extensions: `?status=`, `?before=`.
pub(crate) async fn list(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    uri: Uri,
) -> Answer<impl IntoResponse> {
    let mut query = QueryFields::only(&uri, &["status", "before"])?;
    let status = query.take("status");
    let status = status.map(|name| parse_status(&name)).transpose()?;
    let before = query.take("before");
    let before = before.map(|id| parse_before(&id)).transpose()?;
    let control = state.control();
    let keys = control
        .list_keys(signed_in.account.id, status.unwrap_or_default(), before)
        .await?;
    let keys: Vec<KeyResponse> = keys.into_iter().map(KeyResponse::from).collect();
    Ok(Json(keys))
}

fn parse_status(name: &str) -> Result<KeyStatus, Problem> {
    let rule = "must be active, inactive, expired or all";
    KeyStatus::parse(name).ok_or_else(|| Problem::invalid_parameter("status", rule))
}

fn parse_before(id: &str) -> Result<KeyId, Problem> {
    KeyId::parse(id).ok_or_else(|| Problem::invalid_parameter("before", "must be the id of a key"))
}
