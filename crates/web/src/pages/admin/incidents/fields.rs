//! The fields of the forms about incidents.

use keygate_control::Control;
use keygate_core::{
    ComponentId, IncidentMessage, IncidentState, IncidentTitle, Problem, Timestamp,
};
use keygate_wire::read_field;

use crate::pages::{form::Form, status::incident::in_words};

/// Something to choose.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) is_chosen: bool,
}

/// The components, those ticked that the form names.
pub(super) fn choices(control: &Control, form: &Form) -> Vec<Choice> {
    let choice = |component: &keygate_control::Component| Choice {
        value: component.id.to_string(),
        label: component.name.to_string(),
        is_chosen: form.all("components").any(|id| id == component.id.as_str()),
    };
    control.components().iter().map(choice).collect()
}

/// States to choose from.
pub(super) fn states(states: &[IncidentState], chosen: &str) -> Vec<Choice> {
    let choice = |state: &IncidentState| Choice {
        value: state.as_str().to_owned(),
        label: in_words(*state).to_owned(),
        is_chosen: state.as_str() == chosen,
    };
    states.iter().map(choice).collect()
}

pub(super) fn title(form: &mut Form) -> Option<IncidentTitle> {
    form.accept(read_field("title", form.text("title")))
}

pub(super) fn message(form: &mut Form) -> Option<IncidentMessage> {
    form.accept(read_field("message", form.text("message")))
}

/// The components that are ticked; none where one of them is none.
pub(super) fn components(form: &mut Form, control: &Control) -> Vec<ComponentId> {
    let components = control.parse_components(form.all("components"));
    form.accept(components).unwrap_or_default()
}

/// The state; none where it is left out, or wrong.
pub(super) fn state(form: &mut Form) -> Option<IncidentState> {
    let word = Some(form.text("state")).filter(|word| !word.is_empty());
    let state = word.map(|word| read_field("state", word));
    form.accept(state.transpose()).flatten()
}

/// A time in UTC; none where it is left out, or wrong.
pub(super) fn moment(form: &mut Form, name: &'static str) -> Option<Timestamp> {
    let text = Some(form.text(name).trim()).filter(|text| !text.is_empty());
    form.accept(text.map(|text| parse_typed(name, text)).transpose())
        .flatten()
}

/// A time in UTC.
pub(super) fn required_moment(form: &mut Form, name: &'static str) -> Option<Timestamp> {
    form.accept(parse_typed(name, form.text(name).trim()))
}

/// What a browser has in a field for a date and a time: with or without seconds, and no offset.
fn parse_typed(name: &'static str, text: &str) -> Result<Timestamp, Problem> {
    let seconds = if text.len() == "2026-06-10T08:00".len() {
        ":00Z"
    } else {
        "Z"
    };
    let rule = "must be a date and a time, like 2026-06-10T08:00";
    Timestamp::parse_rfc3339(&format!("{text}{seconds}"))
        .map_err(|_| Problem::invalid_parameter(name, rule))
}

/// The same, to be typed over.
pub(super) fn typed(at: Timestamp) -> String {
    at.to_string().get(..16).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_browsers_send_it() {
        for (text, expected) in [
            ("2026-06-10T08:00", Some("2026-06-10T08:00:00.000Z")),
            ("2026-06-10T08:00:30", Some("2026-06-10T08:00:30.000Z")),
            ("2026-06-10T08:00:30.5", Some("2026-06-10T08:00:30.500Z")),
            ("2026-06-10", None),
            ("2026-02-30T08:00", None),
            ("", None),
        ] {
            let parsed = parse_typed("starts_at", text).ok();
            assert_eq!(
                parsed.map(|at| at.to_string()).as_deref(),
                expected,
                "{text}"
            );
        }
        let at = parse_typed("starts_at", "2026-06-10T08:00").expect("a time");
        assert_eq!(typed(at), "2026-06-10T08:00");
    }
}
