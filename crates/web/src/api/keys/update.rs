use axum::{Extension, extract::State, response::IntoResponse};
use keygate_control::{KeyChanges, SignedInSession, parse_key_name};
use keygate_core::{Code, Problem};
use serde_json::Value;

use super::take_scopes;
use crate::{
    answer::{Answer, Success, success},
    fields::Fields,
    openapi::{UpdateKey, examples, list},
    path_id::PathId,
    state::WebState,
};

/// `PATCH /api/keys/{id}`: changes the fields that are supplied.
#[utoipa::path(
    patch,
    path = "/api/keys/{id}",
    tag = "Keys",
    operation_id = "updateKey",
    summary = "Update an API key",
    description = "Supply only the fields that are to change. A key that is switched off opens nothing from the \
        moment of the answer.",
    params(
        ("id" = String, Path, format = "uuid", description = "The id of the key.", example = json!(examples::ID)),
    ),
    request_body(
        content = UpdateKey,
        example = json!({"name": "Staging", "scopes": ["chat", "read", "write"], "is_active": false}),
    ),
    responses(
        (status = 200, description = "The key is changed.", body = Success, example = json!({"success": true})),
        (status = 404, description = list(&[Code::KeyNotFound])),
        (status = 409, description = list(&[Code::KeyLimitReached, Code::KeyExpired])),
    ),
)]
pub(crate) async fn update(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
    fields: Fields,
) -> Answer<impl IntoResponse> {
    let changes = parse_changes(fields)?;
    let account_id = signed_in.account.id;
    let control = state.control();
    control
        .update_key(signed_in.actor(), account_id, &id, changes)
        .await?;
    Ok(success())
}

fn parse_changes(fields: Fields) -> Result<KeyChanges, Problem> {
    let mut fields = fields.only(&["name", "scopes", "is_active"])?;
    if fields.is_empty() {
        return Err(Problem::new(
            Code::MissingParameter,
            "Give at least one of \"name\", \"scopes\" and \"is_active\".",
        ));
    }
    let name = fields.optional_string("name")?;
    Ok(KeyChanges {
        name: name.as_deref().map(parse_key_name).transpose()?,
        scopes: take_scopes(&mut fields)?,
        is_active: take_is_active(&mut fields)?,
    })
}

fn take_is_active(fields: &mut Fields) -> Result<Option<bool>, Problem> {
    match fields.take("is_active") {
        None => Ok(None),
        Some(Value::Bool(on)) => Ok(Some(on)),
        Some(_) => Err(Problem::invalid_parameter(
            "is_active",
            "must be true or false",
        )),
    }
}
