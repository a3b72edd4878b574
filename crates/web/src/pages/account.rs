use askama::Template;
use axum::{Extension, extract::State, response::Response};
use http::Uri;
use keygate_control::{Session, SignedInSession};
use keygate_core::{Code, EmailAddress, Problem, SessionId, Timestamp};

use super::{browser, form::Form, frame::Frame, go_to, message, moment::Moment, page, sign_in};
use crate::{client::Sender, state::WebState};

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    notice: Option<&'static str>,
    form: Form,
    email: EmailAddress,
    role: &'static str,
    created: Moment,
    sessions: Vec<SessionView>,
}

struct SessionView {
    id: SessionId,
    is_current: bool,
    browser: String,
    user_agent: String,
    address: String,
    last_seen: Moment,
    created: Moment,
}

impl SessionView {
    fn new(session: Session, current: SessionId, now: Timestamp) -> Self {
        let origin = session.origin;
        Self {
            id: session.id,
            is_current: session.id == current,
            browser: browser::name_of(origin.user_agent.as_deref()),
            user_agent: origin.user_agent.unwrap_or_default(),
            address: origin
                .address
                .map_or_else(|| "unknown".into(), |address| address.to_string()),
            last_seen: Moment::new(session.last_seen_at, now),
            created: Moment::new(session.created_at, now),
        }
    }
}

/// `GET /account`
pub(crate) async fn show(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    uri: Uri,
) -> Response {
    show_form(&state, &signed_in, Form::of_query(&uri)).await
}

/// `POST /account`: ends sessions or changes the password.
pub(crate) async fn change(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    sender: Sender,
    mut form: Form,
) -> Response {
    match act(&state, &signed_in, &sender, &form).await {
        Ok(response) => response,
        Err(problem) => {
            form.refuse(problem);
            show_form(&state, &signed_in, form).await
        }
    }
}

async fn act(
    state: &WebState,
    signed_in: &SignedInSession,
    sender: &Sender,
    form: &Form,
) -> Result<Response, Problem> {
    let control = state.control();
    match form.text("do") {
        "end" => {
            control.end_session(signed_in, form.text("session")).await?;
            Ok(go_to("/account?done=ended"))
        }
        "end-others" => {
            control.end_other_sessions(signed_in).await?;
            Ok(go_to("/account?done=ended-others"))
        }
        "password" => {
            let (current, new) = (form.text("current_password"), form.text("password"));
            let client = sender.browser();
            let changed = control.change_password(signed_in, current, new, &client);
            let next = "/account?done=password";
            Ok(sign_in::begin(state, &changed.await?, next))
        }
        _ => Err(Problem::new(Code::InvalidRequest, "No action was chosen.")),
    }
}

fn notice(done: &str) -> Option<&'static str> {
    match done {
        "ended" => Some("That browser or script is signed out."),
        "ended-others" => Some("You are signed out everywhere else."),
        "password" => Some("The password is changed. You are signed out everywhere else."),
        _ => None,
    }
}

async fn show_form(state: &WebState, signed_in: &SignedInSession, form: Form) -> Response {
    let frame = Frame::of(state, signed_in, "account");
    let sessions = match state.control().list_sessions(signed_in).await {
        Ok(sessions) => sessions,
        Err(problem) => return message::show(frame, &problem),
    };
    let (account, current) = (&signed_in.account, signed_in.session.id);
    let now = state.control().now();
    let outcome = form.outcome();
    let view = |session| SessionView::new(session, current, now);
    let shown = AccountPage {
        frame,
        notice: notice(form.text("done")).filter(|_| form.is_fine()),
        form,
        email: account.email.clone(),
        role: account.role.as_str(),
        created: Moment::new(account.created_at, now),
        sessions: sessions.into_iter().map(view).collect(),
    };
    page(outcome, &shown)
}
