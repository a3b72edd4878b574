//! Something new for the status page.

use std::time::Duration;

use askama::Template;
use axum::{Extension, extract::State, response::Response};
use http::Uri;
use keygate_control::{INCIDENT_STATES, PostIncident, ScheduleMaintenance, SignedInSession};
use keygate_core::{Incident, IncidentId, Problem};

use super::{
    FormView, SECTION,
    fields::{self, Choice},
};
use crate::{
    pages::{form::Form, frame::Frame, go_to, page},
    state::WebState,
};

/// How long a form that is sent again makes nothing more.
const FORM_LIFETIME: Duration = Duration::from_hours(24);
/// What another node's clock may be ahead.
const SKEW: Duration = Duration::from_mins(1);

#[derive(Template)]
#[template(path = "admin/new_incident.html")]
struct NewIncidentPage {
    frame: Frame,
    /// So that it makes one incident, however often it is sent.
    id: IncidentId,
    view: FormView,
    states: Vec<Choice>,
}

#[derive(Template)]
#[template(path = "admin/new_maintenance.html")]
struct NewMaintenancePage {
    frame: Frame,
    /// So that it makes one incident, however often it is sent.
    id: IncidentId,
    view: FormView,
}

/// `GET /admin/incidents/new`
pub(crate) async fn new(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    uri: Uri,
) -> Response {
    show_incident(&state, &signed_in, Form::of_query(&uri))
}

/// `GET /admin/maintenance/new`
pub(crate) async fn new_maintenance(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    uri: Uri,
) -> Response {
    show_maintenance(&state, &signed_in, Form::of_query(&uri))
}

/// `POST /admin/incidents/new`: posts an incident.
pub(crate) async fn post(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    mut form: Form,
) -> Response {
    let id = take_id(&state, &form);
    let posted = match take_incident(&state, &mut form) {
        Some(incident) => state
            .control()
            .post_incident_by_form(signed_in.actor(), incident, id)
            .await
            .map(Some),
        None => Ok(None),
    };
    go_on(posted, form, |form| show_incident(&state, &signed_in, form))
}

/// `POST /admin/maintenance/new`: schedules maintenance.
pub(crate) async fn schedule(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    mut form: Form,
) -> Response {
    let id = take_id(&state, &form);
    let scheduled = match take_maintenance(&state, &mut form) {
        Some(planned) => state
            .control()
            .schedule_maintenance_by_form(signed_in.actor(), planned, id)
            .await
            .map(Some),
        None => Ok(None),
    };
    go_on(scheduled, form, |form| {
        show_maintenance(&state, &signed_in, form)
    })
}

/// Leads to what was made, or back to the form that says what is wrong.
fn go_on(
    made: Result<Option<Incident>, Problem>,
    mut form: Form,
    show: impl FnOnce(Form) -> Response,
) -> Response {
    match made {
        Ok(Some(incident)) => go_to(&format!("/admin/incidents/{}?done=posted", incident.id)),
        Ok(None) => show(form),
        Err(problem) => {
            form.refuse(problem);
            show(form)
        }
    }
}

/// The id that the form came with. One from a page of long ago, or from nowhere, is no incident's.
fn take_id(state: &WebState, form: &Form) -> IncidentId {
    let control = state.control();
    let now = control.now();
    let is_recent = |id: &IncidentId| {
        let made_at = id.made_at();
        made_at.is_some_and(|at| at.minus(SKEW) <= now && now < at.plus(FORM_LIFETIME))
    };
    let id = IncidentId::parse(form.text("id")).filter(is_recent);
    id.unwrap_or_else(|| control.new_incident_form())
}

/// The incident that the form is for, unless something is wrong with it.
fn take_incident(state: &WebState, form: &mut Form) -> Option<PostIncident> {
    let (title, message) = (fields::title(form), fields::message(form));
    let incident = PostIncident {
        components: fields::components(form, state.control()),
        state: fields::state(form),
        starts_at: fields::moment(form, "starts_at"),
        title: title?,
        message: message?,
    };
    form.is_fine().then_some(incident)
}

/// The maintenance that the form is for, unless something is wrong with it.
fn take_maintenance(state: &WebState, form: &mut Form) -> Option<ScheduleMaintenance> {
    let (title, message) = (fields::title(form), fields::message(form));
    let components = fields::components(form, state.control());
    let starts_at = fields::required_moment(form, "starts_at");
    let ends_at = fields::required_moment(form, "ends_at");
    let planned = ScheduleMaintenance {
        title: title?,
        message: message?,
        components,
        starts_at: starts_at?,
        ends_at: ends_at?,
    };
    form.is_fine().then_some(planned)
}

fn show_incident(state: &WebState, signed_in: &SignedInSession, form: Form) -> Response {
    let outcome = form.outcome();
    let shown = NewIncidentPage {
        frame: Frame::of(state, signed_in, SECTION),
        id: state.control().new_incident_form(),
        states: fields::states(&INCIDENT_STATES, form.text("state")),
        view: FormView::new("new", form, state.control()),
    };
    page(outcome, &shown)
}

fn show_maintenance(state: &WebState, signed_in: &SignedInSession, form: Form) -> Response {
    let outcome = form.outcome();
    let shown = NewMaintenancePage {
        frame: Frame::of(state, signed_in, SECTION),
        id: state.control().new_incident_form(),
        view: FormView::new("new", form, state.control()),
    };
    page(outcome, &shown)
}
