use askama::Template;
use axum::{Extension, extract::State, response::Response};
use http::Uri;
use keygate_control::{IssueKey, SignedInSession, parse_key_name};
use keygate_core::{Code, KeyId, Problem, Scope};

use super::{
    created,
    expiry::{self, ExpiryChoice},
    scopes::{self, ScopeChoice},
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
    /// The key's id, so that a form that is sent twice makes one key.
    id: KeyId,
    choices: Vec<ScopeChoice>,
    expiries: Vec<ExpiryChoice>,
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
    let frame = Frame::of(&signed_in, "keys");
    let control = state.control();
    let Some(key) = parse(&mut form, control.now()) else {
        return show_form(&state, &signed_in, form);
    };
    let account_id = signed_in.account.id;
    match control.issue_key(signed_in.actor(), account_id, key).await {
        Ok(issued) => created::show(frame, &issued, &origin, control.now()),
        Err(problem) if problem.code == Code::KeyExists => {
            go_to(&format!("/keys/{}", form.text("id")))
        }
        Err(problem) => {
            form.refuse(problem);
            show_form(&state, &signed_in, form)
        }
    }
}

/// The key that is wanted; or nothing, and what is wrong is noted.
fn parse(form: &mut Form, now: keygate_core::Timestamp) -> Option<IssueKey> {
    let id = KeyId::parse(form.text("id"));
    let id = id.ok_or_else(|| Problem::new(Code::InvalidRequest, "Load the page again."));
    let id = form.accept(id);
    let name = form.accept(parse_key_name(form.text("name")));
    let scopes = form.accept(scopes::parse(form));
    let expires_at = form.accept(expiry::parse(form, now));
    Some(IssueKey {
        id: Some(id?),
        name: name?,
        scopes: Some(scopes?),
        expires_at: expires_at?,
    })
}

fn show_form(state: &WebState, signed_in: &SignedInSession, form: Form) -> Response {
    let status = form.status();
    let new = NewPage {
        frame: Frame::of(signed_in, "keys"),
        id: state.control().reserve_key_id(),
        choices: scopes::choices(&form, &OFFERED),
        expiries: expiry::choices(&form),
        form,
    };
    page(status, &new)
}
