use keygate_core::{Code, Incident, IncidentKind, IncidentMessage, Problem, UpdateId};
use keygate_storage::{Action, Actor, IncidentEdit};
use serde_json::{Value, json};

use super::{
    not_found,
    post::{refuse_future, refuse_turned_around},
    sorted,
};
use crate::{Control, unavailable};

impl Control {
    /// Corrects an incident. What keygate itself found out about an outage stays as it is: its component
    /// and its times.
    pub async fn edit_incident(
        &self,
        actor: Actor,
        id: &str,
        edit: IncidentEdit,
    ) -> Result<Incident, Problem> {
        let mut incident = self.get_incident(id).await?;
        self.refuse_edit(&incident, &edit)?;
        let detail = detail(&edit);
        let edit = IncidentEdit {
            components: edit.components.map(sorted),
            ..edit
        };
        let audit = self.incident_entry(actor, Action::IncidentEdit, incident.id, &detail);
        let edited = self
            .store
            .edit_incident(incident.id, edit.clone(), audit)
            .await;
        if !edited.map_err(unavailable)? {
            return Err(not_found());
        }
        self.board.forget().await;
        incident.title = edit.title.unwrap_or(incident.title);
        incident.components = edit.components.unwrap_or(incident.components);
        incident.starts_at = edit.starts_at.unwrap_or(incident.starts_at);
        incident.ends_at = edit.ends_at.or(incident.ends_at);
        Ok(incident)
    }

    /// Corrects what was said of an incident.
    pub async fn edit_incident_update(
        &self,
        actor: Actor,
        id: &str,
        update_id: &str,
        message: IncidentMessage,
    ) -> Result<Incident, Problem> {
        let mut incident = self.get_incident(id).await?;
        let update_id = UpdateId::parse(update_id);
        let mut updates = incident.updates.iter_mut();
        let update = updates
            .find(|update| Some(update.id) == update_id)
            .ok_or_else(no_update)?;
        update.message = message.clone();
        let update_id = update.id;
        let detail = json!({
            "update": update_id.to_string(),
            "message": super::shortened(&message),
        });
        let audit = self.incident_entry(actor, Action::IncidentEdit, incident.id, &detail);
        let edited = self
            .store
            .edit_incident_update(incident.id, update_id, message, audit)
            .await;
        if !edited.map_err(unavailable)? {
            return Err(no_update());
        }
        self.board.forget().await;
        Ok(incident)
    }

    fn refuse_edit(&self, incident: &Incident, edit: &IncidentEdit) -> Result<(), Problem> {
        let now = self.clock.now();
        let starts_at = edit.starts_at.unwrap_or(incident.starts_at);
        let ends_at = edit.ends_at.or(incident.ends_at);
        if let Some(ends_at) = ends_at
            && (edit.starts_at.is_some() || edit.ends_at.is_some())
        {
            refuse_turned_around(starts_at, ends_at)?;
        }
        let ends_later = edit.ends_at.is_some_and(|end| end > now);
        match incident.kind {
            IncidentKind::Maintenance if ends_later && incident.is_over(now) => {
                Err(ends_in_future())
            }
            IncidentKind::Maintenance => Ok(()),
            IncidentKind::Outage => {
                let measured = [
                    ("components", edit.components.is_some()),
                    ("starts_at", edit.starts_at.is_some()),
                    ("ends_at", edit.ends_at.is_some()),
                ];
                let given = measured.into_iter().find(|(_, is_given)| *is_given);
                given.map_or(Ok(()), |(param, _)| Err(measured_by_probes(param)))
            }
            IncidentKind::Incident => {
                refuse_future(starts_at, now)?;
                match edit.ends_at {
                    Some(_) if incident.ends_at.is_none() => Err(still_open()),
                    Some(_) if ends_later => Err(ends_in_future()),
                    _ => Ok(()),
                }
            }
        }
    }
}

fn measured_by_probes(param: &'static str) -> Problem {
    Problem::invalid_parameter(param, "is what probes found, and cannot be changed")
}

fn ends_in_future() -> Problem {
    Problem::invalid_parameter("ends_at", "must not be in the future: it is over")
}

fn still_open() -> Problem {
    let why = "\"ends_at\" is set by an update with the state resolved.";
    Problem::new(Code::InvalidParameter, why).with_param("ends_at")
}

fn no_update() -> Problem {
    Problem::new(Code::NotFound, "The incident has no such update.")
}

fn detail(edit: &IncidentEdit) -> Value {
    let mut detail = serde_json::Map::new();
    if let Some(title) = &edit.title {
        detail.insert("title".into(), json!(title));
    }
    if let Some(components) = &edit.components {
        detail.insert("components".into(), json!(components));
    }
    if let Some(starts_at) = edit.starts_at {
        detail.insert("starts_at".into(), json!(starts_at));
    }
    if let Some(ends_at) = edit.ends_at {
        detail.insert("ends_at".into(), json!(ends_at));
    }
    Value::Object(detail)
}
