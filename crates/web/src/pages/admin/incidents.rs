//! `/admin/incidents`: what admins say of incidents.

mod fields;
mod one;

pub(crate) use one::{change, show as show_one};

use askama::Template;
use axum::{Extension, extract::State, response::Response};
use http::Uri;
use keygate_control::{PostIncident, ScheduleMaintenance, SignedInSession};
use keygate_core::{Code, Incident, IncidentId, IncidentState, Problem};

use crate::{
    pages::{
        form::Form, frame::Frame, go_to, last_of_full, message, page,
        status::incident::IncidentView, with_query,
    },
    state::WebState,
};

use fields::Choice;

pub(super) const SECTION: &str = "incidents";

/// What a new incident can be, first of all.
const NEW_STATES: [IncidentState; 4] = [
    IncidentState::Investigating,
    IncidentState::Identified,
    IncidentState::Monitoring,
    IncidentState::Resolved,
];

#[derive(Template)]
#[template(path = "admin/incidents.html")]
struct IncidentsPage {
    frame: Frame,
    /// What was typed to post an incident.
    post: FormView,
    /// What was typed to schedule maintenance.
    schedule: FormView,
    states: Vec<Choice>,
    incidents: Vec<IncidentView>,
    older: Option<String>,
}

/// A form, and the components to tick in it.
pub(super) struct FormView {
    /// What its fields' ids begin with, since there are several forms on a page.
    pub(super) prefix: &'static str,
    pub(super) form: Form,
    pub(super) components: Vec<Choice>,
}

/// `GET /admin/incidents`
pub(crate) async fn list(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    uri: Uri,
) -> Response {
    show(&state, &signed_in, Form::of_query(&uri)).await
}

/// `POST /admin/incidents`: posts an incident, or schedules maintenance.
pub(crate) async fn create(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    mut form: Form,
) -> Response {
    match act(&state, &signed_in, &mut form).await {
        Ok(Some(incident)) => go_to(&format!("/admin/incidents/{}?done=posted", incident.id)),
        Ok(None) => show(&state, &signed_in, form).await,
        Err(problem) => {
            form.refuse(problem);
            show(&state, &signed_in, form).await
        }
    }
}

/// What was made; nothing if the form says what is wrong.
async fn act(
    state: &WebState,
    signed_in: &SignedInSession,
    form: &mut Form,
) -> Result<Option<Incident>, Problem> {
    let (control, actor) = (state.control(), signed_in.actor());
    let (title, message) = (fields::title(form), fields::message(form));
    let components = fields::components(form, control);
    let posted = match form.text("do") {
        "post" => {
            let (state, starts_at) = (fields::state(form), fields::moment(form, "starts_at"));
            let (Some(title), Some(message), true) = (title, message, form.is_fine()) else {
                return Ok(None);
            };
            let post = PostIncident {
                title,
                message,
                components,
                state,
                starts_at,
            };
            control.post_incident(actor, post).await?
        }
        "schedule" => {
            let starts_at = fields::required_moment(form, "starts_at");
            let ends_at = fields::required_moment(form, "ends_at");
            let (Some(title), Some(message), Some(starts_at), Some(ends_at), true) =
                (title, message, starts_at, ends_at, form.is_fine())
            else {
                return Ok(None);
            };
            let planned = ScheduleMaintenance {
                title,
                message,
                components,
                starts_at,
                ends_at,
            };
            control.schedule_maintenance(actor, planned).await?
        }
        _ => return Err(Problem::new(Code::InvalidRequest, "Nothing was chosen.")),
    };
    Ok(Some(posted))
}

async fn show(state: &WebState, signed_in: &SignedInSession, form: Form) -> Response {
    let frame = Frame::of(signed_in, SECTION);
    let control = state.control();
    let before = IncidentId::parse(form.text("before"));
    let incidents = match control.list_incidents(before).await {
        Ok(incidents) => incidents,
        Err(problem) => return message::show(frame, &problem),
    };
    let outcome = form.outcome();
    let now = control.now();
    let older = last_of_full(&incidents).map(|last| {
        let id = last.id.to_string();
        with_query("/admin/incidents", [("before", &*id)])
    });
    let (post, schedule) = match form.text("do") {
        "schedule" => (Form::default(), form),
        _ => (form, Form::default()),
    };
    let shown = IncidentsPage {
        frame,
        states: fields::states(&NEW_STATES, post.text("state")),
        post: FormView::new("post", post, control),
        schedule: FormView::new("schedule", schedule, control),
        incidents: incidents
            .iter()
            .map(|incident| IncidentView::new(incident, control.components(), now))
            .collect(),
        older,
    };
    page(outcome, &shown)
}

impl FormView {
    pub(super) fn new(
        prefix: &'static str,
        form: Form,
        control: &keygate_control::Control,
    ) -> Self {
        Self {
            prefix,
            components: fields::choices(control, &form),
            form,
        }
    }

    /// What is wrong, but is not shown beside a field.
    pub(super) fn other_error(&self) -> Option<&str> {
        let fields = [
            "title",
            "message",
            "components",
            "state",
            "starts_at",
            "ends_at",
        ];
        self.form.error_apart_from(&fields)
    }
}
