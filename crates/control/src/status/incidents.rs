//! What operators and admins say of incidents.

mod edit;
mod list;
mod post;
mod update;

use std::sync::Arc;

use keygate_core::{
    Code, ComponentId, Incident, IncidentId, IncidentMessage, IncidentState, IncidentUpdate,
    Problem, Timestamp, UpdateId,
};
use keygate_storage::{
    Action, Actor, AuditEntry, ChangeIncident, IncidentRule, Made, StorageError,
};
use serde_json::{Value, json};

use crate::Control;

impl Control {
    /// The components with these ids, among those that there are.
    pub fn parse_components(
        &self,
        ids: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Vec<ComponentId>, Problem> {
        let ids = ids.into_iter();
        ids.map(|id| self.parse_component(id.as_ref())).collect()
    }

    fn parse_component(&self, id: &str) -> Result<ComponentId, Problem> {
        let components = &self.policy.status.components;
        let found = components.iter().find(|one| one.id.as_str() == id);
        found.map(|one| one.id.clone()).ok_or_else(|| {
            let known: Vec<&str> = components.iter().map(|one| one.id.as_str()).collect();
            let rule = format!("must be one of {}", known.join(", "));
            Problem::invalid_parameter("components", rule)
        })
    }

    /// The components of the service, in the order in which they are shown.
    pub fn components(&self) -> &[super::Component] {
        &self.policy.status.components
    }

    /// An entry of the record about an incident.
    pub(super) fn incident_entry(
        &self,
        actor: Actor,
        action: Action,
        id: IncidentId,
        detail: &Value,
    ) -> AuditEntry {
        incident_entry(self.clock.now(), actor, action, id, detail)
    }

    /// Changes an incident by `rule`, which is asked in the transaction that writes, perhaps more than
    /// once. It gives what stands in the record of changes.
    pub(super) async fn change_incident(
        &self,
        actor: Actor,
        action: Action,
        id: IncidentId,
        rule: impl Fn(&mut Incident, Now) -> Result<Value, Problem> + Send + Sync + 'static,
    ) -> Result<Made<ChangeIncident>, StorageError> {
        let (clock, random) = (self.clock.clone(), self.random.clone());
        let rule: IncidentRule = Arc::new(move |before: &Incident| {
            // The time at which it is judged: it may have waited for another change.
            let now = Now {
                at: clock.now(),
                update_id: before.next_update_id(clock.now(), &*random),
            };
            let mut incident = before.clone();
            let detail = rule(&mut incident, now)?;
            let audit = incident_entry(now.at, actor, action, id, &detail);
            Ok((incident, audit))
        });
        let changed = self.store.change_incident(id, rule).await?;
        if matches!(changed, Ok(ChangeIncident::Changed(_))) {
            self.board.forget().await;
        }
        Ok(changed)
    }
}

/// What a change of an incident is judged by, and what is said with it is named by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) at: Timestamp,
    update_id: UpdateId,
}

impl Now {
    /// What is said with the change.
    pub(super) fn update(self, state: IncidentState, message: IncidentMessage) -> IncidentUpdate {
        IncidentUpdate {
            id: self.update_id,
            at: self.at,
            state,
            message,
        }
    }
}

fn incident_entry(
    at: Timestamp,
    actor: Actor,
    action: Action,
    id: IncidentId,
    detail: &Value,
) -> AuditEntry {
    AuditEntry {
        at,
        actor,
        action,
        account_id: None,
        subject_id: Some(id.to_string()),
        detail: Some(detail.to_string()),
    }
}

/// The incident as it has become, or why it has not.
fn changed(outcome: Result<Made<ChangeIncident>, StorageError>) -> Result<Incident, Problem> {
    match outcome?? {
        ChangeIncident::Changed(incident) => Ok(incident),
        ChangeIncident::Refused(problem) => Err(problem),
        ChangeIncident::NotFound => Err(not_found()),
    }
}

/// The values of a new incident, for the record of changes.
pub(super) fn detail(incident: &Incident) -> Value {
    let first = incident.updates.first();
    json!({
        "kind": incident.kind,
        "title": incident.title,
        "components": incident.components,
        "starts_at": incident.starts_at,
        "ends_at": incident.ends_at,
        "state": first.map(|update| update.state),
        "message": first.map(|update| shortened(&update.message)),
    })
}

pub(super) fn update_detail(update: &IncidentUpdate) -> Value {
    json!({"state": update.state, "message": shortened(&update.message)})
}

/// So much of a message as tells which one is meant: the record of changes never shrinks.
fn shortened(message: &IncidentMessage) -> String {
    const MAX_CHARS: usize = 200;
    let text = message.as_str();
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn parse_id(id: &str) -> Result<IncidentId, Problem> {
    IncidentId::parse(id).ok_or_else(not_found)
}

fn not_found() -> Problem {
    Problem::new(Code::NotFound, "There is no such incident.")
}

/// In the order in which components are kept, each once.
fn sorted(mut components: Vec<ComponentId>) -> Vec<ComponentId> {
    components.sort();
    components.dedup();
    components
}
