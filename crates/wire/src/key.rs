use keygate_core::{
    ApiKey, Code, IssuedKey, KeyChanges, KeyDetails, KeyId, KeyStatus, Problem, Scopes, Timestamp,
    key::{KeyName, KeySecret},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::{IntoParams, ToSchema};

use crate::{
    fields::{nullable, parsed},
    schema::{self, CREATED_AT, EXPIRES_AT, ID, KeyStatusName, USED_AT},
};

/// A new key.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateKey, example = json!({
    "name": "Production",
    "scopes": ["chat", "read"],
    "expires_at": "2030-01-31T08:00:00Z",
}))]
#[serde(deny_unknown_fields)]
pub struct CreateKeyRequest {
    /// The name of the key.
    #[schema(schema_with = schema::key_name)]
    pub name: KeyName,
    /// The scopes of the key.
    #[schema(schema_with = schema::new_scopes)]
    pub scopes: Option<Scopes>,
    /// The first moment at which the key is no longer accepted, in the future: RFC 3339 with an offset. It is
    /// kept to the millisecond. Without it the key does not expire.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

impl From<CreateKeyRequest> for KeyDetails {
    fn from(request: CreateKeyRequest) -> Self {
        let named = Self::named(request.name);
        Self {
            scopes: request.scopes.unwrap_or(named.scopes),
            expires_at: request.expires_at,
            ..named
        }
    }
}

/// Changes to a key: at least one field.
#[derive(Debug, Default, PartialEq, Deserialize, ToSchema)]
#[schema(as = UpdateKey, min_properties = 1, example = json!({
    "name": "Staging",
    "scopes": ["chat", "read", "write"],
    "is_active": false,
}))]
#[serde(deny_unknown_fields)]
pub struct UpdateKeyRequest {
    /// The name of the key.
    #[schema(schema_with = schema::key_name)]
    pub name: Option<KeyName>,
    /// The new scopes of the key.
    #[schema(schema_with = schema::changed_scopes)]
    pub scopes: Option<Scopes>,
    /// `false` deactivates the key without deleting it. `true` activates it again, unless it has expired or the
    /// account has reached its limit on active keys.
    #[schema(nullable = false)]
    pub is_active: Option<bool>,
}

impl TryFrom<UpdateKeyRequest> for KeyChanges {
    type Error = Problem;

    fn try_from(request: UpdateKeyRequest) -> Result<Self, Problem> {
        if request == UpdateKeyRequest::default() {
            let message = "Give at least one of \"name\", \"scopes\" and \"is_active\".";
            return Err(Problem::new(Code::MissingParameter, message));
        }
        Ok(Self {
            name: request.name,
            scopes: request.scopes,
            is_active: request.is_active,
        })
    }
}

/// Which keys to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListKeysQuery {
    /// Which keys to list, by their state.
    #[serde(deserialize_with = "status")]
    #[param(inline, value_type = Option<KeyStatusName>, example = json!("all"))]
    pub status: Option<KeyStatus>,
    /// The id of the last key of the previous page: only older keys are listed.
    #[serde(deserialize_with = "before")]
    #[param(value_type = Option<String>, format = "uuid", example = json!(ID))]
    pub before: Option<KeyId>,
}

fn status<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<KeyStatus>, D::Error> {
    let rule = "must be active, inactive, expired or all";
    parsed(reader, KeyStatus::parse, rule)
}

fn before<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<KeyId>, D::Error> {
    parsed(reader, KeyId::parse, "must be the id of a key")
}

/// A key in a list, the fields in the contract's order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key, description = "An API key, as it is listed.", example = json!({
    "id": ID,
    "name": "Production",
    "key_prefix": "ask_a1b2",
    "scopes": ["chat", "read"],
    "last_used_at": USED_AT,
    "expires_at": null,
    "is_active": true,
    "created_at": CREATED_AT,
}))]
pub struct KeyResponse {
    /// Unique; it is not secret.
    #[schema(value_type = String, format = "uuid")]
    id: KeyId,
    /// The name of the key.
    #[schema(value_type = String)]
    name: KeyName,
    /// The first characters of the secret, to tell keys apart.
    key_prefix: String,
    #[schema(schema_with = schema::shown_scopes)]
    scopes: Scopes,
    /// When it was last accepted; null if it never was.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_used_at: Option<Timestamp>,
    /// The first moment at which it is no longer accepted; null if it does not expire.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    expires_at: Option<Timestamp>,
    /// Whether it is activated.
    is_active: bool,
    /// When it was issued.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<ApiKey> for KeyResponse {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.details.name,
            key_prefix: key.key_prefix,
            scopes: key.details.scopes,
            last_used_at: key.last_used_at,
            expires_at: key.details.expires_at,
            is_active: key.is_active,
            created_at: key.created_at,
        }
    }
}

/// The key with its secret, the fields in the contract's order.
#[derive(Serialize, ToSchema)]
#[schema(as = NewKey, description = "A key that has just been created, with its secret.", example = json!({
    "id": ID,
    "name": "Production",
    "key_prefix": "ask_a1b2",
    "scopes": ["chat", "read"],
    "expires_at": EXPIRES_AT,
    "created_at": CREATED_AT,
    "key": "ask_a1b2C3d4E5f6G7h8J9k0L1m2N30T4WGS",
}))]
pub struct CreateKeyResponse {
    /// Unique; it is not secret.
    #[schema(value_type = String, format = "uuid")]
    id: KeyId,
    /// The name of the key.
    #[schema(value_type = String)]
    name: KeyName,
    /// The first characters of the secret, to tell keys apart.
    key_prefix: String,
    #[schema(schema_with = schema::issued_scopes)]
    scopes: Scopes,
    /// The first moment at which it is no longer accepted; null if it does not expire.
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
            name: key.details.name,
            key_prefix: key.key_prefix,
            scopes: key.details.scopes,
            expires_at: key.details.expires_at,
            created_at: key.created_at,
            key: secret,
        }
    }
}

/// The one place where a secret is shown.
fn expose<S: Serializer>(secret: &KeySecret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

/// How a key was used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeyUsage, example = json!({"requests": 1_024, "last_used_at": USED_AT}))]
pub struct KeyUsageResponse {
    /// How many requests it was accepted for; those of the last second may be missing.
    requests: u64,
    /// When it was last accepted.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_used_at: Option<Timestamp>,
}

impl From<ApiKey> for KeyUsageResponse {
    fn from(key: ApiKey) -> Self {
        Self {
            requests: key.request_count,
            last_used_at: key.last_used_at,
        }
    }
}

/// A change was made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Success, example = json!({"success": true}))]
pub struct SuccessResponse {
    /// `true`.
    success: bool,
}

impl SuccessResponse {
    /// `{"success":true}`
    pub const DONE: Self = Self { success: true };
}
