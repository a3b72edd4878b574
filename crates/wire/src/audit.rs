use keygate_core::{Action, EmailAddress, RecordedEntry, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::{
    fields::parsed,
    schema::{self, ActionName, CREATED_AT, EXPIRES_AT, ID},
};

/// Which entries of the record of changes to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListAuditQuery {
    /// Only entries about the account with this address.
    #[param(format = Email, example = json!("ada@example.com"))]
    pub account: Option<String>,
    /// Only entries about the key, session, link or incident with this id.
    #[param(format = "uuid", example = json!(ID))]
    pub subject: Option<String>,
    /// Only this action.
    #[serde(deserialize_with = "action")]
    #[param(inline, value_type = Option<ActionName>, example = json!("key.issue"))]
    pub action: Option<Action>,
    /// The number of the last entry of the previous page: only earlier ones are listed.
    #[serde(deserialize_with = "before")]
    #[param(example = json!(6))]
    pub before: Option<u64>,
}

/// Which entries to list of those about a key.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListKeyHistoryQuery {
    /// The number of the last entry of the previous page: only earlier ones are listed.
    #[serde(deserialize_with = "before")]
    #[param(example = json!(6))]
    pub before: Option<u64>,
}

fn action<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Action>, D::Error> {
    let rule = "must be an action, like key.issue";
    parsed(reader, Action::parse, rule)
}

fn before<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<u64>, D::Error> {
    let rule = "must be the number of an entry";
    parsed(reader, |number| number.parse().ok(), rule)
}

/// An audit entry.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry, example = json!({
    "id": 5,
    "at": CREATED_AT,
    "actor": "ada@example.com",
    "action": "key.issue",
    "account": "ada@example.com",
    "subject_id": ID,
    "detail": {"name": "Production", "scopes": ["chat", "read"], "expires_at": EXPIRES_AT},
}))]
pub struct AuditEntryResponse {
    /// Its number; later entries have greater ones.
    id: u64,
    /// When it was done.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The address of the account that made the change, or `operator`, or `prober` for keygate itself.
    actor: String,
    #[schema(schema_with = schema::action)]
    action: String,
    /// The address of the account that it concerns.
    #[schema(value_type = Option<String>, format = Email, required)]
    account: Option<EmailAddress>,
    /// The id of the key, session, link or incident that it concerns.
    #[schema(required)]
    subject_id: Option<String>,
    /// The new values; which there are depends on the action.
    #[schema(value_type = Option<Object>, required)]
    detail: Option<Value>,
}

impl AuditEntryResponse {
    /// Entries as they are answered.
    pub fn all(entries: Vec<RecordedEntry>) -> Vec<Self> {
        entries.into_iter().map(Self::from).collect()
    }
}

impl From<RecordedEntry> for AuditEntryResponse {
    fn from(recorded: RecordedEntry) -> Self {
        let detail = recorded.detail;
        Self {
            id: recorded.id,
            at: recorded.at,
            actor: recorded.actor.to_string(),
            action: recorded.action,
            account: recorded.account,
            subject_id: recorded.subject_id,
            detail: detail.and_then(|detail| serde_json::from_str(&detail).ok()),
        }
    }
}
