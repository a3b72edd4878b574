use askama::Template;
use axum::{Extension, extract::State, response::Response};
use http::Uri;
use keygate_control::{Action, AuditFilter, RecordedEntry, SignedInSession};
use keygate_core::Problem;

use crate::{
    pages::{form::Form, frame::Frame, last_of_full, page, record::EntryView, with_query},
    state::WebState,
};

const FILTERS: [&str; 3] = ["account", "action", "subject"];

#[derive(Template)]
#[template(path = "admin/audit.html")]
struct AuditPage {
    frame: Frame,
    form: Form,
    actions: Vec<&'static str>,
    is_filtered: bool,
    entries: Vec<EntryView>,
    older: Option<String>,
}

/// `GET /admin/audit`
pub(crate) async fn audit(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    uri: Uri,
) -> Response {
    let mut form = Form::of_query(&uri);
    let entries = list(&state, &form).await;
    let entries = form.accept(entries).unwrap_or_default();
    let last = last_of_full(&entries);
    let now = state.control().now();
    let shown = AuditPage {
        frame: Frame::of(&state, &signed_in, "audit"),
        actions: Action::ALL.iter().map(|action| action.as_str()).collect(),
        is_filtered: FILTERS.iter().any(|name| !form.text(name).is_empty()),
        older: last.map(|last| older(&form, last.id)),
        entries: entries
            .into_iter()
            .map(|entry| EntryView::new(entry, now))
            .collect(),
        form,
    };
    page(shown.form.outcome(), &shown)
}

async fn list(state: &WebState, form: &Form) -> Result<Vec<RecordedEntry>, Problem> {
    let given = |name| Some(form.text(name).trim()).filter(|text| !text.is_empty());
    let filter = AuditFilter {
        email: given("account"),
        subject_id: given("subject"),
        action: given("action").map(parse_action).transpose()?,
        before: given("before").and_then(|number| number.parse().ok()),
    };
    state.control().list_audit_entries(filter).await
}

fn parse_action(name: &str) -> Result<Action, Problem> {
    let rule = "must be one of those in the list";
    Action::parse(name).ok_or_else(|| Problem::invalid_parameter("action", rule))
}

fn older(form: &Form, last: u64) -> String {
    let last = last.to_string();
    let filters = FILTERS.map(|name| (name, form.text(name)));
    let said = filters.into_iter().filter(|(_, text)| !text.is_empty());
    with_query("/admin/audit", said.chain([("before", &*last)]))
}
