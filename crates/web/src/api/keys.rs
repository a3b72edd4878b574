//! `/api/keys`

mod create;
mod delete;
mod history;
mod list;
mod show;
mod update;
mod usage;

pub use create::CreateKeyResponse;
pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use history::history;
pub(crate) use list::list;
pub(crate) use show::show;
pub(crate) use update::update;
pub(crate) use usage::usage;

use keygate_core::{ApiKey, KeyId, Problem, Scope, Scopes, Timestamp, key::KeyName};
use serde::Serialize;
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use crate::{fields::Fields, openapi::types};

#[derive(OpenApi)]
#[openapi(paths(
    list::list,
    create::create,
    update::update,
    delete::delete,
    show::show,
    usage::usage,
    history::history
))]
pub(crate) struct Reference;

/// A key in a list, the fields in the contract's order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key, description = "An API key, as it is listed.")]
pub struct KeyResponse {
    /// Unique; it is not secret.
    #[schema(value_type = String, format = "uuid")]
    id: KeyId,
    /// What the key is called.
    #[schema(value_type = String)]
    name: KeyName,
    /// The first characters of the secret, to tell keys apart.
    key_prefix: String,
    #[schema(schema_with = types::shown_scopes)]
    scopes: Scopes,
    /// When it was last accepted; null where it never was.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_used_at: Option<Timestamp>,
    /// The first moment at which it is no longer accepted; null where it does not expire.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    expires_at: Option<Timestamp>,
    /// Whether it is switched on.
    is_active: bool,
    /// When it was issued.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<ApiKey> for KeyResponse {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            key_prefix: key.key_prefix,
            scopes: key.scopes,
            last_used_at: key.last_used_at,
            expires_at: key.expires_at,
            is_active: key.is_active,
            created_at: key.created_at,
        }
    }
}

/// The scopes in a body: a non-empty array of names.
fn take_scopes(fields: &mut Fields) -> Result<Option<Scopes>, Problem> {
    let Some(value) = fields.take("scopes") else {
        return Ok(None);
    };
    let invalid = || {
        let rule = "must be a non-empty array of \"chat\", \"read\", \"write\" and, where a key is changed, \"admin\"";
        Problem::invalid_parameter("scopes", rule)
    };
    let Value::Array(names) = value else {
        return Err(invalid());
    };
    let scopes: Option<Scopes> = names
        .iter()
        .map(|name| name.as_str().and_then(Scope::parse))
        .collect();
    let scopes = scopes.filter(|scopes| !scopes.is_empty());
    scopes.map(Some).ok_or_else(invalid)
}
