use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::Uri;
use keygate_control::{KeyStatus, SignedInSession};
use keygate_core::{KeyId, Problem};
use keygate_wire::{
    KeyResponse,
    schema::{self, KeyStatusName},
};

use crate::{answer::Answer, query::QueryFields, state::WebState};

/// `GET /api/keys`: up to 100 keys, newest first. Extensions: `?status=`, `?before=`.
#[utoipa::path(
    get,
    path = "/api/keys",
    tag = "Keys",
    operation_id = "listKeys",
    summary = "List API keys",
    description = "Up to 100 of the account's active keys, newest first. Secrets are never included.",
    params(
        ("status" = inline(Option<KeyStatusName>), Query, description = "Which keys to list, by their state.",
            example = json!("all")),
        ("before" = Option<String>, Query, format = "uuid", example = json!(schema::ID),
            description = "Goes on after the last page: its last key's id. Only older keys are listed."),
    ),
    responses(
        (status = 200, description = "The keys.", body = [KeyResponse]),
    ),
)]
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
