//! `/admin/incidents` and `/admin/maintenance`: what admins say of incidents.

mod fields;
mod new;
mod one;

pub(crate) use new::{new, new_maintenance, post, schedule};
pub(crate) use one::{change, show};

use askama::Template;
use axum::{Extension, extract::State, response::Response};
use http::Uri;
use keygate_control::{Control, SignedInSession};
use keygate_core::IncidentId;

use crate::{
    pages::{
        form::Form, frame::Frame, last_of_full, message, page, status::incident::IncidentView,
        with_query,
    },
    state::WebState,
};

use fields::Choice;

/// The part of the dashboard that these pages belong to.
const SECTION: &str = "incidents";

#[derive(Template)]
#[template(path = "admin/incidents.html")]
struct IncidentsPage {
    frame: Frame,
    incidents: Vec<IncidentView>,
    older: Option<String>,
}

/// `GET /admin/incidents`
pub(crate) async fn list(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    uri: Uri,
) -> Response {
    let frame = Frame::of(&state, &signed_in, SECTION);
    let control = state.control();
    let form = Form::of_query(&uri);
    let before = IncidentId::parse(form.text("before"));
    let incidents = match control.list_incidents(before).await {
        Ok(incidents) => incidents,
        Err(problem) => return message::show(frame, &problem),
    };
    let now = control.now();
    let older = last_of_full(&incidents).map(|last| {
        let id = last.id.to_string();
        with_query("/admin/incidents", [("before", &*id)])
    });
    let shown = IncidentsPage {
        frame,
        incidents: incidents
            .iter()
            .map(|incident| IncidentView::new(incident, control.components(), now))
            .collect(),
        older,
    };
    page(form.outcome(), &shown)
}

/// A form, and the components to tick in it.
struct FormView {
    /// What its fields' ids begin with, since there can be several forms on a page.
    prefix: &'static str,
    form: Form,
    components: Vec<Choice>,
}

impl FormView {
    fn new(prefix: &'static str, form: Form, control: &Control) -> Self {
        Self {
            prefix,
            components: fields::choices(control, &form),
            form,
        }
    }

    /// What is wrong, but is not shown beside a field.
    fn other_error(&self) -> Option<&str> {
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
