use keygate_control::{Actor, Control};
use keygate_core::{Incident, Problem};
use keygate_wire::{
    EditIncidentRequest, EditIncidentUpdateRequest, IncidentResponse, PostIncidentRequest,
    ScheduleMaintenanceRequest, UpdateIncidentRequest,
};
use serde_json::{Value, json};

use super::pages::all_pages;

/// All incidents and maintenance, the newest first.
pub(super) async fn list(control: &Control) -> Result<Value, Problem> {
    let page = |before| control.list_incidents(before);
    let incidents = all_pages(page, |last: &Incident| last.id).await?;
    let all = incidents
        .into_iter()
        .map(|incident| shown(control, incident));
    Ok(all.collect())
}

pub(super) async fn post(
    control: &Control,
    request: PostIncidentRequest,
) -> Result<Value, Problem> {
    let components = control.parse_components(request.components.iter().flatten())?;
    let posted = control.post_incident(Actor::Operator, request.concerning(components));
    Ok(shown(control, posted.await?))
}

pub(super) async fn schedule(
    control: &Control,
    request: ScheduleMaintenanceRequest,
) -> Result<Value, Problem> {
    let components = control.parse_components(request.components.iter().flatten())?;
    let scheduled = control.schedule_maintenance(Actor::Operator, request.concerning(components));
    Ok(shown(control, scheduled.await?))
}

pub(super) async fn edit(
    control: &Control,
    id: &str,
    request: EditIncidentRequest,
) -> Result<Value, Problem> {
    let components = request.components.as_ref();
    let components = components.map(|ids| control.parse_components(ids));
    let edit = request.concerning(components.transpose()?)?;
    let edited = control.edit_incident(Actor::Operator, id, edit).await?;
    Ok(shown(control, edited))
}

pub(super) async fn update(
    control: &Control,
    id: &str,
    request: UpdateIncidentRequest,
) -> Result<Value, Problem> {
    let UpdateIncidentRequest { message, state } = request;
    let updated = control.update_incident(Actor::Operator, id, state, message);
    Ok(shown(control, updated.await?))
}

pub(super) async fn edit_update(
    control: &Control,
    id: &str,
    update: &str,
    request: EditIncidentUpdateRequest,
) -> Result<Value, Problem> {
    let edited = control.edit_incident_update(Actor::Operator, id, update, request.message);
    Ok(shown(control, edited.await?))
}

fn shown(control: &Control, incident: Incident) -> Value {
    json!(IncidentResponse::new(incident, control.now()))
}
