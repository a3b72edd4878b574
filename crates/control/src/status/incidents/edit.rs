use keygate_core::{Incident, IncidentEdit, IncidentMessage, Problem, UpdateId};
use keygate_storage::{Action, Actor};
use serde_json::{Value, json};

use super::{changed, parse_id, sorted};
use crate::Control;

impl Control {
    /// Corrects an incident. What keygate itself found out about an outage stays as it is: its component
    /// and its times.
    pub async fn edit_incident(
        &self,
        actor: Actor,
        id: &str,
        edit: IncidentEdit,
    ) -> Result<Incident, Problem> {
        let id = parse_id(id)?;
        let edit = IncidentEdit {
            components: edit.components.map(sorted),
            ..edit
        };
        let edited = self.change_incident(actor, Action::IncidentEdit, id, move |incident, now| {
            incident.edit(edit.clone(), now.at)?;
            Ok(detail(&edit))
        });
        changed(edited.await)
    }

    /// Corrects what was said of an incident.
    pub async fn edit_incident_update(
        &self,
        actor: Actor,
        id: &str,
        update_id: &str,
        message: IncidentMessage,
    ) -> Result<Incident, Problem> {
        let id = parse_id(id)?;
        let update_id = UpdateId::parse(update_id);
        let edited = self.change_incident(actor, Action::IncidentEdit, id, move |incident, _| {
            let edited = incident.edit_update(update_id, message.clone())?;
            Ok(json!({
                "update": edited.to_string(),
                "message": super::shortened(&message),
            }))
        });
        changed(edited.await)
    }
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
