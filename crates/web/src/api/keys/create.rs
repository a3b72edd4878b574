use axum::{Extension, Json, extract::State, response::IntoResponse};
use http::StatusCode;
use keygate_control::{IssueKey, IssuedKey, SignedInSession, parse_expires_at, parse_key_name};
use keygate_core::{
    KeyId, Problem, Scopes, Timestamp,
    key::{KeyName, KeySecret},
};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::take_scopes;
use crate::{answer::Answer, fields::Fields, state::WebState};

/// The key with its secret, the fields in the contract's order.
#[derive(Serialize)]
pub struct CreateKeyResponse {
    id: KeyId,
    name: KeyName,
    key_prefix: String,
    scopes: Scopes,
    expires_at: Option<Timestamp>,
    created_at: Timestamp,
    #[serde(serialize_with = "expose")]
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
pub(crate) async fn create(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    fields: Fields,
) -> Answer<impl IntoResponse> {
    let mut fields = fields.only(&["name", "scopes", "expires_at"])?;
    let request = IssueKey {
        id: None,
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
