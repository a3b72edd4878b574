use std::time::Duration;

use keygate_core::{Problem, Timestamp};

use crate::pages::form::Form;

/// A choice of when a key expires.
pub(crate) struct ExpiryChoice {
    pub(crate) value: &'static str,
    pub(crate) label: &'static str,
    pub(crate) is_chosen: bool,
}

const CHOICES: [(&str, &str); 5] = [
    ("7", "In 7 days"),
    ("30", "In 30 days"),
    ("90", "In 90 days"),
    ("date", "On a date"),
    ("never", "Never"),
];

/// What stands in the form before anybody chooses.
pub(super) const DEFAULT: &str = "90";

pub(super) fn choices(form: &Form) -> Vec<ExpiryChoice> {
    let choice = |(value, label)| ExpiryChoice {
        value,
        label,
        is_chosen: form.text("expires") == value,
    };
    CHOICES.into_iter().map(choice).collect()
}

/// When the key expires. The last day ends in the reader's time zone where a script says when that is
/// (`expires_at`), and in UTC otherwise.
pub(super) fn parse(form: &Form, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    let rule = |rule| Problem::invalid_parameter("expires_at", rule);
    match form.text("expires") {
        "never" => Ok(None),
        "date" => {
            let (date, exact) = (form.text("date"), form.text("expires_at"));
            if date.is_empty() {
                return Err(rule("needs a date"));
            }
            let end_of_day = format!("{date}T23:59:59.999Z");
            let end = if exact.is_empty() { &end_of_day } else { exact };
            Timestamp::parse_rfc3339(end)
                .map(Some)
                .map_err(|_| rule("must be a date, like 2030-01-31"))
        }
        days => {
            let days: Option<u64> = CHOICES
                .iter()
                .find(|(value, _)| *value == days)
                .and_then(|(value, _)| value.parse().ok());
            let days = days.ok_or_else(|| rule("must be one of those in the list"))?;
            Ok(Some(now.plus(Duration::from_hours(24 * days))))
        }
    }
}
