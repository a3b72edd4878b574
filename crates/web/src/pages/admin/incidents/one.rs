//! One incident.

use askama::Template;
use axum::{Extension, extract::State, response::Response};
use http::Uri;
use keygate_control::{IncidentEdit, SignedInSession};
use keygate_core::{Code, ComponentId, Incident, IncidentKind, IncidentState, Problem, Timestamp};

use super::{
    FormView, SECTION,
    fields::{self, Choice},
};
use crate::{
    pages::{form::Form, frame::Frame, go_to, message, page, status::incident::IncidentView},
    path_id::PathId,
    state::WebState,
};

#[derive(Template)]
#[template(path = "admin/incident.html")]
struct IncidentPage {
    frame: Frame,
    notice: Option<&'static str>,
    incident: IncidentView,
    /// The id of what was said last, so that the form says its own once, however often it is sent.
    latest: String,
    /// Whether probes found it, so that only its title can be corrected.
    is_measured: bool,
    /// Whether it is closed by them.
    is_closed_by_probes: bool,
    update: FormView,
    states: Vec<Choice>,
    edit: FormView,
    /// What was typed to correct an update.
    correction: Form,
}

impl IncidentPage {
    /// What stands in the field for correcting an update.
    fn correction_of<'a>(&'a self, id: &str, message: &'a str) -> &'a str {
        if self.correction.text("update") == id {
            self.correction.text("message")
        } else {
            message
        }
    }

    fn is_corrected(&self, id: &str) -> bool {
        self.correction.text("update") == id
    }
}

/// `GET /admin/incidents/{id}`
pub(crate) async fn show(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
    uri: Uri,
) -> Response {
    show_form(&state, &signed_in, &id, Form::of_query(&uri)).await
}

/// `POST /admin/incidents/{id}`: says more, or corrects what was said.
pub(crate) async fn change(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    PathId(id): PathId,
    mut form: Form,
) -> Response {
    match act(&state, &signed_in, &id, &mut form).await {
        Ok(Some(done)) => go_to(&format!("/admin/incidents/{id}?done={done}")),
        Ok(None) => show_form(&state, &signed_in, &id, form).await,
        Err(problem) => {
            form.refuse(problem);
            show_form(&state, &signed_in, &id, form).await
        }
    }
}

/// What was done; nothing if the form says what is wrong.
async fn act(
    state: &WebState,
    signed_in: &SignedInSession,
    id: &str,
    form: &mut Form,
) -> Result<Option<&'static str>, Problem> {
    let (control, actor) = (state.control(), signed_in.actor());
    match form.text("do") {
        "update" => {
            let (message, status) = (fields::message(form), fields::state(form));
            let (Some(message), true) = (message, form.is_fine()) else {
                return Ok(None);
            };
            let latest = form.text("latest").to_owned();
            let said = control.update_incident_by_form(actor, id, &latest, status, message);
            said.await?;
            Ok(Some("updated"))
        }
        "edit" => {
            let Some(edit) = edit(state, id, form).await? else {
                return Ok(None);
            };
            control.edit_incident(actor, id, edit).await?;
            Ok(Some("corrected"))
        }
        "correct" => {
            let Some(message) = fields::message(form) else {
                return Ok(None);
            };
            let update = form.text("update").to_owned();
            let corrected = control.edit_incident_update(actor, id, &update, message);
            corrected.await?;
            Ok(Some("corrected"))
        }
        _ => Err(Problem::new(Code::InvalidRequest, "No action was chosen.")),
    }
}

/// What the form says is to be different. A form says the whole; what it leaves as it is, is not meant.
async fn edit(
    state: &WebState,
    id: &str,
    form: &mut Form,
) -> Result<Option<IncidentEdit>, Problem> {
    let control = state.control();
    let incident = control.get_incident(id).await?;
    let Some(title) = fields::title(form) else {
        return Ok(None);
    };
    let mut edit = IncidentEdit {
        title: Some(title),
        ..IncidentEdit::default()
    };
    if incident.kind == IncidentKind::Outage {
        return Ok(Some(edit));
    }
    let components = fields::components(form, control);
    let starts_at = fields::required_moment(form, "starts_at");
    let ends_at = fields::moment(form, "ends_at");
    let (Some(starts_at), true) = (starts_at, form.is_fine()) else {
        return Ok(None);
    };
    let is_offered = |id: &ComponentId| control.components().iter().any(|one| one.id == *id);
    // What the form does not offer is not meant by leaving it out.
    let others = incident.components.iter().filter(|id| !is_offered(id));
    edit.components = Some(components.into_iter().chain(others.cloned()).collect());
    // To the minute, as the form shows it.
    let differs = |new: &Timestamp, old: Timestamp| fields::typed(*new) != fields::typed(old);
    edit.starts_at = Some(starts_at).filter(|new| differs(new, incident.starts_at));
    let end = incident.ends_at;
    edit.ends_at = ends_at.filter(|new| end.is_none_or(|old| differs(new, old)));
    Ok(Some(edit))
}

fn notice(done: &str) -> Option<&'static str> {
    match done {
        "posted" => Some("Posted on the status page."),
        "updated" => Some("The update is on the status page."),
        "corrected" => Some("The changes are saved."),
        _ => None,
    }
}

async fn show_form(
    state: &WebState,
    signed_in: &SignedInSession,
    id: &str,
    form: Form,
) -> Response {
    let frame = Frame::of(state, signed_in, SECTION);
    let control = state.control();
    let incident = match control.get_incident(id).await {
        Ok(incident) => incident,
        Err(problem) => return message::show(frame, &problem),
    };
    let (outcome, now) = (form.outcome(), control.now());
    let notice = notice(form.text("done")).filter(|_| form.is_fine());
    let (mut update, mut edit, mut correction) = <(Form, Form, Form)>::default();
    match form.text("do") {
        "edit" => edit = form,
        "correct" => correction = form,
        _ => update = form,
    }
    if edit.text("do").is_empty() {
        fill(&mut edit, &incident);
    }
    let chosen = Some(update.text("state").to_owned()).filter(|word| !word.is_empty());
    let chosen = chosen.unwrap_or_else(|| incident.state(now).as_str().to_owned());
    let shown = IncidentPage {
        frame,
        notice,
        latest: latest(&incident),
        is_measured: incident.kind == IncidentKind::Outage,
        is_closed_by_probes: !control
            .next_states(&incident)
            .contains(&IncidentState::Resolved),
        states: fields::states(&control.next_states(&incident), &chosen),
        update: FormView::new("update", update, control),
        edit: FormView::new("edit", edit, control),
        correction,
        incident: IncidentView::new(&incident, control.components(), now),
    };
    page(outcome, &shown)
}

fn latest(incident: &Incident) -> String {
    let latest = incident.updates.iter().map(|update| update.id).max();
    latest.map(|id| id.to_string()).unwrap_or_default()
}

/// What the incident is now, to be typed over.
fn fill(form: &mut Form, incident: &Incident) {
    form.set("title", [incident.title.as_str()]);
    let components = incident.components.iter().map(ComponentId::as_str);
    form.set("components", components);
    form.set("starts_at", [&*fields::typed(incident.starts_at)]);
    let end = incident.ends_at.map(fields::typed);
    form.set("ends_at", end.as_deref());
}
