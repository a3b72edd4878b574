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

use crate::fields::Fields;

/// A key in a list, the fields in the contract's order.
#[derive(Debug, Serialize)]
pub struct KeyResponse {
    id: KeyId,
    name: KeyName,
    key_prefix: String,
    scopes: Scopes,
    last_used_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    is_active: bool,
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
