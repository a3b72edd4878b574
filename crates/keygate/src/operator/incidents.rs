use keygate_control::{
    Actor, Control, IncidentEdit, PostIncident, ScheduleMaintenance, parse_incident_message,
    parse_incident_state, parse_incident_title, parse_moment,
};
use keygate_core::{ComponentId, Incident, Problem, Timestamp};
use keygate_web::IncidentResponse;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::pages::all_pages;

/// What an operator says of an incident, or of maintenance; not all of it has to be said each time.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct IncidentFields {
    pub(crate) title: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) components: Option<Vec<String>>,
    pub(crate) state: Option<String>,
    pub(crate) starts_at: Option<String>,
    pub(crate) ends_at: Option<String>,
}

impl IncidentFields {
    pub(super) async fn post(self, control: &Control) -> Result<Value, Problem> {
        let state = self.state.as_deref();
        let post = PostIncident {
            title: parse_incident_title(&text(self.title))?,
            message: parse_incident_message(&text(self.message))?,
            components: components(control, self.components)?.unwrap_or_default(),
            state: state.map(parse_incident_state).transpose()?,
            starts_at: moment("starts_at", self.starts_at.as_deref())?,
        };
        let posted = control.post_incident(Actor::Operator, post).await?;
        Ok(shown(control, posted))
    }

    pub(super) async fn schedule(self, control: &Control) -> Result<Value, Problem> {
        let planned = ScheduleMaintenance {
            title: parse_incident_title(&text(self.title))?,
            message: parse_incident_message(&text(self.message))?,
            components: components(control, self.components)?.unwrap_or_default(),
            starts_at: parse_moment("starts_at", &text(self.starts_at))?,
            ends_at: parse_moment("ends_at", &text(self.ends_at))?,
        };
        let scheduled = control.schedule_maintenance(Actor::Operator, planned);
        Ok(shown(control, scheduled.await?))
    }

    pub(super) async fn edit(self, control: &Control, id: &str) -> Result<Value, Problem> {
        let title = self.title.as_deref();
        let edit = IncidentEdit {
            title: title.map(parse_incident_title).transpose()?,
            components: components(control, self.components)?,
            starts_at: moment("starts_at", self.starts_at.as_deref())?,
            ends_at: moment("ends_at", self.ends_at.as_deref())?,
        };
        let edited = control.edit_incident(Actor::Operator, id, edit).await?;
        Ok(shown(control, edited))
    }
}

/// All incidents and maintenance, the newest first.
pub(super) async fn list(control: &Control) -> Result<Value, Problem> {
    let page = |before| control.list_incidents(before);
    let incidents = all_pages(page, |last: &Incident| last.id).await?;
    let all = incidents
        .into_iter()
        .map(|incident| shown(control, incident));
    Ok(all.collect())
}

pub(super) async fn update(
    control: &Control,
    id: &str,
    message: &str,
    state: Option<&str>,
) -> Result<Value, Problem> {
    let message = parse_incident_message(message)?;
    let state = state.map(parse_incident_state).transpose()?;
    let updated = control.update_incident(Actor::Operator, id, state, message);
    Ok(shown(control, updated.await?))
}

pub(super) async fn edit_update(
    control: &Control,
    id: &str,
    update: &str,
    message: &str,
) -> Result<Value, Problem> {
    let message = parse_incident_message(message)?;
    let edited = control.edit_incident_update(Actor::Operator, id, update, message);
    Ok(shown(control, edited.await?))
}

fn shown(control: &Control, incident: Incident) -> Value {
    json!(IncidentResponse::new(incident, control.now()))
}

fn text(given: Option<String>) -> String {
    given.unwrap_or_default()
}

fn moment(name: &'static str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    text.map(|text| parse_moment(name, text)).transpose()
}

fn components(
    control: &Control,
    ids: Option<Vec<String>>,
) -> Result<Option<Vec<ComponentId>>, Problem> {
    ids.map(|ids| control.parse_components(ids.iter().map(String::as_str)))
        .transpose()
}
