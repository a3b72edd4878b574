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
    pub(crate) action: String,
    /// What was done, in words.
    pub(crate) what: String,
    /// The address of the account that it concerns.
    pub(crate) account: String,
    /// The key, session or incident.
    pub(crate) subject: String,
    /// The new values, each by itself, so that none can be taken for another.
    pub(crate) values: Vec<String>,
}

impl EntryView {
    pub(crate) fn new(recorded: RecordedEntry, now: Timestamp) -> Self {
        let account = recorded.account.map(|email| email.to_string());
        Self {
            at: Moment::new(recorded.at, now),
            who: recorded.actor.to_string(),
            what: what(&recorded.action),
            action: recorded.action,
            account: account.unwrap_or_default(),
            subject: recorded.subject_id.unwrap_or_default(),
            values: recorded.detail.as_deref().map(values).unwrap_or_default(),
        }
    }
}

/// What was done with a key.
fn what(action: &str) -> String {
    match Action::parse(action) {
        Some(Action::KeyIssue) => "Created",
        Some(Action::KeyUpdate) => "Changed",
        Some(Action::KeyRevoke) => "Revoked",
        _ => action,
    }
    .to_owned()
}

/// The new values of an entry, like `name: CI`.
fn values(json: &str) -> Vec<String> {
    let Ok(Value::Object(values)) = serde_json::from_str(json) else {
        return Vec::new();
    };
    let shown = values.iter().map(|(name, value)| match (&**name, value) {
        ("is_active", Value::Bool(true)) => "activated".into(),
        ("is_active", Value::Bool(false)) => "deactivated".into(),
        ("expires_at", Value::Null) => "never expires".into(),
        ("expires_at", Value::String(end)) => format!("expires: {}", exact(end)),
        (name, value) => format!("{name}: {}", plain(value)),
    });
    shown.collect()
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
    fn new_values_are_in_plain_words() {
        assert_eq!(
            values(r#"{"name":"CI","scopes":["chat","read"],"expires_at":null}"#),
            ["name: CI", "scopes: chat, read", "never expires"]
        );
        assert_eq!(
            values(r#"{"is_active":false,"expires_at":"2027-01-31T23:59:59.999Z"}"#),
            ["deactivated", "expires: 31 Jan 2027, 23:59 UTC"]
        );
        assert_eq!(values("no JSON"), [""; 0]);
    }
}
