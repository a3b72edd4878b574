use std::time::Duration;

use askama::Template;
use axum::{Extension, extract::State, response::Response};
use http::Uri;
use keygate_control::{RecordedEntry, SignedInSession};
use keygate_core::{ApiKey, Code, KeyChanges, Problem, Scope, Timestamp};

use super::{
    KeyView,
    fields::{self, Choices},
    list,
    setups::{PLACEHOLDER, setups},
    snippets::{Snippet, base_url},
    switched,
};
use crate::{
    origin::Origin,
    pages::{form::Form, frame::Frame, go_to, last_of_full, message, page, record::EntryView},
    path_id::PathId,
    state::WebState,
};

/// For how long after a request a key counts as used.
const IN_USE: Duration = Duration::from_hours(7 * 24);

#[derive(Template)]
#[template(path = "keys/show.html")]
struct KeyPage {
    frame: Frame,
    notice: Option<&'static str>,
    form: Form,
    key: KeyView,
    requests: u64,
    is_on: bool,
    is_in_use: bool,
    choices: Choices,
    base_url: String,
    setups: Vec<Snippet>,
    history: Vec<EntryView>,
    older: Option<String>,
}

impl KeyPage {
    fn error(&self) -> Option<&str> {
        fields::error_apart_from(&self.form, "confirm")
    }
}

/// `GET /keys/{id}`; what stands in the query is filled in.
pub(crate) async fn show(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    Origin(origin): Origin,
    PathId(id): PathId,
    uri: Uri,
) -> Response {
    show_form(&state, &signed_in, &origin, &id, Form::of_query(&uri)).await
}

/// `POST /keys/{id}`: changes, switches or revokes the key; from the list, which is shown again.
pub(crate) async fn change(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    Origin(origin): Origin,
    PathId(id): PathId,
    mut form: Form,
) -> Response {
    let done = match form.text("do") {
        "revoke" => revoke(&state, &signed_in, &id, &form).await,
        _ => update(&state, &signed_in, &id, &mut form).await,
    };
    match done {
        Ok(Some(next)) => go_to(&next),
        Ok(None) => show_form(&state, &signed_in, &origin, &id, form).await,
        Err(problem) => {
            form.refuse(problem);
            show_form(&state, &signed_in, &origin, &id, form).await
        }
    }
}

/// Where to go on; nowhere, where what is wrong was noted.
type Done = Result<Option<String>, Problem>;

async fn update(state: &WebState, signed_in: &SignedInSession, id: &str, form: &mut Form) -> Done {
    let (changes, done) = match form.text("do") {
        "on" => (switch(true), "on"),
        "off" => (switch(false), "off"),
        "change" => match fields::take(form) {
            Some(details) => (details.into(), "changed"),
            None => return Ok(None),
        },
        _ => return Err(Problem::new(Code::InvalidRequest, "No action was chosen.")),
    };
    let account_id = signed_in.account.id;
    let control = state.control();
    control
        .update_key(signed_in.actor(), account_id, id, changes)
        .await?;
    let next = list::back(form, done).unwrap_or_else(|| format!("/keys/{id}?done={done}"));
    Ok(Some(next))
}

fn switch(on: bool) -> KeyChanges {
    KeyChanges {
        is_active: Some(on),
        ..KeyChanges::default()
    }
}

async fn revoke(state: &WebState, signed_in: &SignedInSession, id: &str, form: &Form) -> Done {
    let (control, account_id) = (state.control(), signed_in.account.id);
    let key = control.get_key(account_id, id).await?;
    if is_in_use(&key, control.now()) && !key.details.name.is_typed_as(form.text("confirm")) {
        let rule = "is not the key's name, so nothing was revoked";
        return Err(Problem::invalid_parameter("confirm", rule));
    }
    control
        .revoke_key(signed_in.actor(), account_id, id)
        .await?;
    Ok(Some("/keys?done=revoked".into()))
}

/// What uses a key stops working with it, which takes more than a click.
fn is_in_use(key: &ApiKey, now: Timestamp) -> bool {
    key.last_used_at.is_some_and(|at| at.plus(IN_USE) > now)
}

fn notice(done: &str) -> Option<&'static str> {
    match done {
        "changed" => Some("The changes are saved."),
        "before" => Some(
            "This form was already sent and created this key. Later changes to the form are not saved. If you have not copied the secret, revoke the key and create another.",
        ),
        _ => switched(done),
    }
}

async fn show_form(
    state: &WebState,
    signed_in: &SignedInSession,
    origin: &str,
    id: &str,
    form: Form,
) -> Response {
    let frame = Frame::of(state, signed_in, "keys");
    match load(state, signed_in, id, &form).await {
        Ok((key, history)) => render(state, frame, origin, &key, history, form),
        Err(problem) => message::show(frame, &problem),
    }
}

async fn load(
    state: &WebState,
    signed_in: &SignedInSession,
    id: &str,
    form: &Form,
) -> Result<(ApiKey, Vec<RecordedEntry>), Problem> {
    let (control, account_id) = (state.control(), signed_in.account.id);
    let key = control.get_key(account_id, id).await?;
    let before = form.text("before").parse().ok();
    let history = control.list_key_history(account_id, id, before).await?;
    Ok((key, history))
}

fn render(
    state: &WebState,
    frame: Frame,
    origin: &str,
    key: &ApiKey,
    history: Vec<RecordedEntry>,
    mut form: Form,
) -> Response {
    // What was typed, or else what the key is.
    let is_filled_in = form.has("name");
    if !is_filled_in {
        fields::fill(&mut form, &key.details);
    }
    let notice = if is_filled_in {
        Some("The changes below are not saved yet. Check them, then save.")
    } else {
        notice(form.text("done"))
    };
    let notice = notice.filter(|_| form.is_fine());
    let now = state.control().now();
    let last = last_of_full(&history);
    let older = last.map(|last| format!("/keys/{}?before={}#history", key.id, last.id));
    let outcome = form.outcome();
    let shown = KeyPage {
        frame,
        notice,
        choices: Choices::of(&form, &Scope::ALL),
        base_url: base_url(origin),
        setups: setups(key.details.scopes, PLACEHOLDER, origin),
        form,
        key: KeyView::new(key, now),
        requests: key.request_count,
        is_on: key.is_active,
        is_in_use: is_in_use(key, now),
        history: history
            .into_iter()
            .map(|entry| EntryView::new(entry, now))
            .collect(),
        older,
    };
    page(outcome, &shown)
}
