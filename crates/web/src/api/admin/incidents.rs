//! `/api/admin/incidents` and `/api/admin/maintenance`

mod edit;
mod edit_update;
mod list;
mod post;
mod schedule;
mod show;
mod update;

pub(crate) use edit::edit;
pub(crate) use edit_update::edit_update;
pub(crate) use list::list;
pub(crate) use post::post;
pub(crate) use schedule::schedule;
pub(crate) use show::show;
pub(crate) use update::update;

use keygate_control::{
    Control, parse_incident_message, parse_incident_state, parse_incident_title, parse_moment,
};
use keygate_core::{
    ComponentId, IncidentMessage, IncidentState, IncidentTitle, Problem, Timestamp,
};
use utoipa::OpenApi;

use crate::fields::Fields;

#[derive(OpenApi)]
#[openapi(paths(
    list::list,
    post::post,
    schedule::schedule,
    show::show,
    edit::edit,
    update::update,
    edit_update::edit_update
))]
pub(crate) struct Reference;

fn take_title(fields: &mut Fields) -> Result<Option<IncidentTitle>, Problem> {
    let title = fields.optional_string("title")?;
    title.as_deref().map(parse_incident_title).transpose()
}

fn required_title(fields: &mut Fields) -> Result<IncidentTitle, Problem> {
    parse_incident_title(&fields.required_string("title")?)
}

fn required_message(fields: &mut Fields) -> Result<IncidentMessage, Problem> {
    parse_incident_message(&fields.required_string("message")?)
}

fn take_state(fields: &mut Fields) -> Result<Option<IncidentState>, Problem> {
    let state = fields.optional_string("state")?;
    state.as_deref().map(parse_incident_state).transpose()
}

fn take_components(
    fields: &mut Fields,
    control: &Control,
) -> Result<Option<Vec<ComponentId>>, Problem> {
    let ids = fields.optional_strings("components")?;
    ids.map(|ids| control.parse_components(ids.iter().map(String::as_str)))
        .transpose()
}

fn take_moment(fields: &mut Fields, name: &'static str) -> Result<Option<Timestamp>, Problem> {
    let text = fields.optional_string(name)?;
    text.map(|text| parse_moment(name, &text)).transpose()
}

fn required_moment(fields: &mut Fields, name: &'static str) -> Result<Timestamp, Problem> {
    parse_moment(name, &fields.required_string(name)?)
}
