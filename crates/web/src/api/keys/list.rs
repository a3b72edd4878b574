use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::Uri;
use keygate_control::{KeyStatus, SignedInSession};
use keygate_core::{KeyId, Problem};

use super::KeyResponse;
use crate::{answer::Answer, fields::unknown_parameter, state::WebState};

/// `GET /api/keys`: up to 100 keys, newest first. Extensions: `?status=`, `?before=`.
pub(crate) async fn list(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    uri: Uri,
) -> Answer<impl IntoResponse> {
    let (status, before) = parse_query(uri.query().unwrap_or_default())?;
    let control = state.control();
    let keys = control
        .list_keys(signed_in.account.id, status, before)
        .await?;
    let keys: Vec<KeyResponse> = keys.into_iter().map(KeyResponse::from).collect();
    Ok(Json(keys))
}

fn parse_query(query: &str) -> Result<(KeyStatus, Option<KeyId>), Problem> {
    let (mut status, mut before) = (None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "status" if status.is_none() => status = Some(parse_status(value)?),
            "before" if before.is_none() => before = Some(parse_before(value)?),
            "status" => return Err(Problem::invalid_parameter("status", "is there twice")),
            "before" => return Err(Problem::invalid_parameter("before", "is there twice")),
            _ => return Err(unknown_parameter(name, &["status", "before"])),
        }
    }
    Ok((status.unwrap_or_default(), before))
}

fn parse_status(value: &str) -> Result<KeyStatus, Problem> {
    match value {
        "active" => Ok(KeyStatus::Active),
        "inactive" => Ok(KeyStatus::Inactive),
        "expired" => Ok(KeyStatus::Expired),
        "all" => Ok(KeyStatus::All),
        _ => Err(Problem::invalid_parameter(
            "status",
            "must be active, inactive, expired or all",
        )),
    }
}

fn parse_before(value: &str) -> Result<KeyId, Problem> {
    KeyId::parse(value)
        .ok_or_else(|| Problem::invalid_parameter("before", "must be the id of a key"))
}
