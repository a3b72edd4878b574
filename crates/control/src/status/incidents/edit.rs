use keygate_core::{Incident, IncidentEdit, IncidentMessage, Problem, UpdateId};
use keygate_storage::{Action, Actor};
use serde_json::json;

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
            Ok(json!(edit))
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
