use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::{IssueKey, IssuedKey, SignedInSession, parse_expires_at, parse_key_name};
use keygate_core::{
    Code, KeyId, Problem, Scopes, Timestamp,
    key::{KeyName, KeySecret},
};
use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;

use super::take_scopes;
use crate::{
    answer::Answer,
    fields::Fields,
    openapi::{CreateKey, examples, list, types},
    state::WebState,
};

/// The key with its secret, the fields in the contract's order.
#[derive(Serialize, ToSchema)]
#[schema(as = NewKey, description = "A key that has just been created, with its secret.")]
pub struct CreateKeyResponse {
    /// Unique; it is not secret.
    #[schema(value_type = String, format = "uuid")]
    id: KeyId,
    /// What the key is called.
    #[schema(value_type = String)]
    name: KeyName,
    /// The first characters of the secret, to tell keys apart.
    key_prefix: String,
    #[schema(schema_with = types::issued_scopes)]
    scopes: Scopes,
    /// The first moment at which it is no longer accepted; null where it does not expire.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    expires_at: Option<Timestamp>,
    /// When it was issued.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The secret, shown only this once.
    #[serde(serialize_with = "expose")]
    #[schema(value_type = String)]
    key: KeySecret,
}

impl From<IssuedKey> for CreateKeyResponse {
    fn from(IssuedKey { key, secret }: IssuedKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            key_prefix: key.key_prefix,
            scopes: key.scopes,
            expires_at: key.expires_at,
            created_at: key.created_at,
            key: secret,
        }
    }
}

/// The one place where a secret is shown.
fn expose<S: Serializer>(secret: &KeySecret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

/// `POST /api/keys`: issues a key.
#[utoipa::path(
    post,
    path = "/api/keys",
    tag = "Keys",
    operation_id = "createKey",
    summary = "Create an API key",
    description = "The secret is in `key`, this once; it is never shown again. An account has at most 10 active \
        keys, unless the operator says otherwise.",
    request_body(
        content = CreateKey,
        example = json!({"name": "Production", "scopes": ["chat", "read"], "expires_at": "2030-01-31T08:00:00Z"}),
    ),
    responses(
        (status = 201, description = "The key and its secret.", body = CreateKeyResponse,
            example = examples::issued_key),
        (status = 409, description = list(&[Code::KeyLimitReached])),
    ),
)]
pub(crate) async fn create(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    fields: Fields,
) -> Answer<impl IntoResponse> {
    let mut fields = fields.only(&["name", "scopes", "expires_at"])?;
    let request = IssueKey {
        name: parse_key_name(&fields.required_string("name")?)?,
        scopes: take_scopes(&mut fields)?,
        expires_at: take_expires_at(&mut fields)?,
    };
    let account_id = signed_in.account.id;
    let control = state.control();
    let issued = control
        .issue_key(signed_in.actor(), account_id, request)
        .await?;
    let response = CreateKeyResponse::from(issued);
    Ok((StatusCode::CREATED, Json(response)))
}

fn take_expires_at(fields: &mut Fields) -> Result<Option<Timestamp>, Problem> {
    match fields.take("expires_at") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => parse_expires_at(&text).map(Some),
        Some(_) => Err(Problem::invalid_parameter(
            "expires_at",
            "must be a string or null",
        )),
    }
}
