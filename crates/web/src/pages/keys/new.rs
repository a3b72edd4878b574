use askama::Template;
use axum::{Extension, extract::State, response::Response};
use http::Uri;
use keygate_control::{Issued, SignedInSession};
use keygate_core::{Code, FormId, KeyDetails, Problem, Scope, Timestamp};

use super::{
    created,
    expiry::{self, ExpiryChoice},
    fields::{self, Choices},
};
use crate::{
    origin::Origin,
    pages::{form::Form, frame::Frame, go_to, page},
    state::WebState,
};

/// `admin` is given to a key afterwards.
const OFFERED: [Scope; 3] = [Scope::Chat, Scope::Read, Scope::Write];

#[derive(Template)]
#[template(path = "keys/new.html")]
struct NewPage {
    frame: Frame,
    form: Form,
    /// So that it makes one key, however often it is sent.
    id: FormId,
    choices: Choices,
    expiries: Vec<ExpiryChoice>,
}

impl NewPage {
    fn error(&self) -> Option<&str> {
        fields::error_apart_from(&self.form, "expires_at")
    }
}

/// `GET /keys/new`; what stands in the query is filled in.
pub(crate) async fn new(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    uri: Uri,
) -> Response {
    let mut form = Form::of_query(&uri);
    if !form.has("name") {
        form.set("scopes", ["chat", "read"]);
        form.set("expires", [expiry::DEFAULT]);
    }
    show_form(&state, &signed_in, form)
}

/// `POST /keys/new`: shows the new key, or the form again with what is wrong.
pub(crate) async fn create(
    State(state): State<WebState>,
    Origin(origin): Origin,
    Extension(signed_in): Extension<SignedInSession>,
    mut form: Form,
) -> Response {
    let frame = Frame::of(&state, &signed_in, "keys");
    let control = state.control();
    let Some((id, key)) = parse(&mut form, control.now()) else {
        return show_form(&state, &signed_in, form);
    };
    let (actor, account_id) = (signed_in.actor(), signed_in.account.id);
    match control.issue_key_by_form(actor, account_id, key, id).await {
        Ok(Issued::Now(issued)) => created::show(frame, &issued, &origin, control.now()),
        Ok(Issued::Before(earlier)) => go_to(&format!("/keys/{earlier}?done=before")),
        Err(problem) => {
            form.refuse(problem);
            show_form(&state, &signed_in, form)
        }
    }
}

/// The key that is wanted; or nothing, and what is wrong is noted.
fn parse(form: &mut Form, now: Timestamp) -> Option<(FormId, KeyDetails)> {
    let id = FormId::parse(form.text("id"));
    let id = id.ok_or_else(|| Problem::new(Code::InvalidRequest, "Load the page again."));
    let id = form.accept(id);
    let details = fields::take(form);
    let expires_at = form.accept(expiry::parse(form, now));
    let details = KeyDetails {
        expires_at: expires_at?,
        ..details?
    };
    Some((id?, details))
}

fn show_form(state: &WebState, signed_in: &SignedInSession, form: Form) -> Response {
    let outcome = form.outcome();
    let new = NewPage {
        frame: Frame::of(state, signed_in, "keys"),
        id: state.control().new_key_form(),
        choices: Choices::of(&form, &OFFERED),
        expiries: expiry::choices(&form),
        form,
    };
    page(outcome, &new)
}
