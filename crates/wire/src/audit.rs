use keygate_core::{EmailAddress, RecordedEntry, Timestamp};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::schema::{self, CREATED_AT, EXPIRES_AT, ID};

/// A line of the record of changes.
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
