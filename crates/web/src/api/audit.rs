use keygate_control::RecordedEntry;
use keygate_core::{EmailAddress, Problem, Timestamp};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{openapi::types, query::QueryFields};

/// A line of the record of changes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct EntryResponse {
    /// Its number; later entries have greater ones.
    id: u64,
    /// When it was done.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The address of the account that made the change, or `operator`, or `prober` for keygate itself.
    actor: String,
    #[schema(schema_with = types::action)]
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

impl EntryResponse {
    pub(crate) fn all(entries: Vec<RecordedEntry>) -> Vec<Self> {
        entries.into_iter().map(Self::from).collect()
    }
}

impl From<RecordedEntry> for EntryResponse {
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

/// The number of the entry before which a list is to go on.
pub(crate) fn parse_before(query: &mut QueryFields) -> Result<Option<u64>, Problem> {
    let before = query.take("before");
    let rule = |_| Problem::invalid_parameter("before", "must be the number of an entry");
    before
        .map(|number| number.parse().map_err(rule))
        .transpose()
}
