use keygate_control::Component;
use keygate_core::{ComponentId, Incident, IncidentKind, IncidentState, Timestamp};

use crate::pages::moment::{Moment, exact};

/// An incident, for people.
pub(crate) struct IncidentView {
    pub(crate) id: String,
    pub(crate) title: String,
    /// How far it is, and the class of that.
    pub(crate) state: StateView,
    /// What it concerns.
    pub(crate) components: String,
    /// From when to when, in UTC.
    pub(crate) span: String,
    pub(crate) is_over: bool,
    /// What was said of it, the latest first.
    pub(crate) updates: Vec<UpdateView>,
}

pub(crate) struct StateView {
    pub(crate) word: &'static str,
    pub(crate) class: &'static str,
}

pub(crate) struct UpdateView {
    pub(crate) id: String,
    pub(crate) at: Moment,
    pub(crate) state: &'static str,
    pub(crate) message: String,
}

impl IncidentView {
    /// An incident at `now`, where components have these names.
    pub(crate) fn new(incident: &Incident, named: &[Component], now: Timestamp) -> Self {
        let state = incident.state(now);
        let updates = incident.updates.iter().rev().map(|update| UpdateView {
            id: update.id.to_string(),
            at: Moment::new(update.at, now),
            state: in_words(update.state),
            message: update.message.to_string(),
        });
        Self {
            id: incident.id.to_string(),
            state: StateView {
                word: in_words(state),
                class: class(incident.kind, state),
            },
            components: names(&incident.components, named),
            span: span(incident),
            is_over: incident.is_over(now),
            updates: updates.collect(),
            title: incident.title.to_string(),
        }
    }
}

/// `in progress`
pub(crate) fn in_words(state: IncidentState) -> &'static str {
    match state {
        IncidentState::InProgress => "in progress",
        other => other.as_str(),
    }
}

fn class(kind: IncidentKind, state: IncidentState) -> &'static str {
    match (state, kind) {
        (IncidentState::Resolved | IncidentState::Completed, _) => "good",
        (_, IncidentKind::Maintenance) => "planned",
        (_, IncidentKind::Outage) => "bad",
        (_, IncidentKind::Incident) => "warn",
    }
}

/// The names of components; one that there is no more has its id.
fn names(ids: &[ComponentId], named: &[Component]) -> String {
    let name = |id: &ComponentId| {
        let found = named.iter().find(|one| one.id == *id);
        found.map_or_else(|| id.to_string(), |one| one.name.to_string())
    };
    if ids.is_empty() {
        return "Everything".to_owned();
    }
    ids.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn span(incident: &Incident) -> String {
    let exact = |at: Timestamp| exact(&at.to_string());
    let start = exact(incident.starts_at);
    match incident.ends_at {
        Some(end) => format!("{start} to {}", exact(end)),
        None => format!("since {start}"),
    }
}
