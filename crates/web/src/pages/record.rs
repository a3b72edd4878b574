use keygate_control::{Action, RecordedEntry};
use keygate_core::Timestamp;
use serde_json::Value;

use super::moment::{Moment, exact};

/// An entry of the record of changes, for people.
pub(crate) struct EntryView {
    pub(crate) at: Moment,
    /// Who made the change.
    pub(crate) who: String,
    /// The name of the action.
    pub(crate) action: &'static str,
    /// What was done, in words.
    pub(crate) what: &'static str,
    /// The address of the account that it concerns.
    pub(crate) account: String,
    /// The key or session.
    pub(crate) subject: String,
    /// The new values.
    pub(crate) detail: String,
}

impl EntryView {
    pub(crate) fn new(recorded: RecordedEntry, now: Timestamp) -> Self {
        let text = |email: Option<keygate_core::EmailAddress>| email.map(|email| email.to_string());
        let entry = recorded.entry;
        Self {
            at: Moment::new(entry.at, now),
            who: text(recorded.actor_email).unwrap_or_else(|| "operator".into()),
            action: entry.action.as_str(),
            what: what(entry.action),
            account: text(recorded.account_email).unwrap_or_default(),
            subject: entry.subject_id.unwrap_or_default(),
            detail: entry.detail.as_deref().map(detail).unwrap_or_default(),
        }
    }
}

/// What was done with a key.
fn what(action: Action) -> &'static str {
    match action {
        Action::KeyIssue => "Created",
        Action::KeyUpdate => "Changed",
        Action::KeyRevoke => "Revoked",
        other => other.as_str(),
    }
}

/// The new values of an entry: `name: CI · scopes: chat, read`.
fn detail(json: &str) -> String {
    let Ok(Value::Object(values)) = serde_json::from_str(json) else {
        return String::new();
    };
    let shown = values.iter().map(|(name, value)| match (&**name, value) {
        ("is_active", Value::Bool(true)) => "switched on".into(),
        ("is_active", Value::Bool(false)) => "switched off".into(),
        ("expires_at", Value::Null) => "never expires".into(),
        ("expires_at", Value::String(end)) => format!("expires: {}", exact(end)),
        (name, value) => format!("{name}: {}", plain(value)),
    });
    shown.collect::<Vec<_>>().join(" · ")
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_values_read_like_a_sentence() {
        assert_eq!(
            detail(r#"{"name":"CI","scopes":["chat","read"],"expires_at":null}"#),
            "name: CI · scopes: chat, read · never expires"
        );
        assert_eq!(
            detail(r#"{"is_active":false,"expires_at":"2027-01-31T23:59:59.999Z"}"#),
            "switched off · expires: 31 Jan 2027, 23:59 UTC"
        );
        assert_eq!(detail("no JSON"), "");
    }
}
