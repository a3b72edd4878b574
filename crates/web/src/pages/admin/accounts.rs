use askama::Template;
use axum::{Extension, extract::State, response::Response};
use http::Uri;
use keygate_control::{AccountSummary, SignedInSession};
use keygate_core::{AccountId, Code, EmailAddress, LinkId, Problem, Timestamp};
use keygate_wire::LinkResponse;

use super::link;
use crate::{
    origin::Origin,
    pages::{
        form::Form, frame::Frame, go_to, last_of_full, message, moment::Moment, page, with_query,
    },
    state::WebState,
};

#[derive(Template)]
#[template(path = "admin/accounts.html")]
struct AccountsPage {
    frame: Frame,
    notice: Option<&'static str>,
    form: Form,
    can_invite: bool,
    /// So that it makes one invitation, however often it is sent.
    id: LinkId,
    search: String,
    rows: Vec<AccountView>,
    next: Option<String>,
}

struct AccountView {
    id: AccountId,
    email: EmailAddress,
    role: &'static str,
    active_keys: u64,
    keys: u64,
    created: Moment,
    suspended: Option<Moment>,
    /// When the link to reset its password ends, where there is one.
    reset_ends: Option<Moment>,
    is_own: bool,
}

impl AccountView {
    fn new(summary: AccountSummary, own: AccountId, now: Timestamp) -> Self {
        let account = summary.account;
        Self {
            id: account.id,
            is_own: account.id == own,
            email: account.email,
            role: account.role.as_str(),
            active_keys: summary.active_keys,
            keys: summary.keys,
            created: Moment::new(account.created_at, now),
            reset_ends: summary.reset_ends_at.map(|at| Moment::new(at, now)),
            suspended: account.suspended_at.map(|at| Moment::new(at, now)),
        }
    }
}

/// `GET /admin/accounts`
pub(crate) async fn show(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    uri: Uri,
) -> Response {
    show_form(&state, &signed_in, Form::of_query(&uri)).await
}

/// `POST /admin/accounts`: invites, suspends, resumes, or makes a link to reset a password.
pub(crate) async fn change(
    State(state): State<WebState>,
    Origin(origin): Origin,
    Extension(signed_in): Extension<SignedInSession>,
    mut form: Form,
) -> Response {
    match act(&state, &signed_in, &origin, &form).await {
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
    origin: &str,
    form: &Form,
) -> Result<Response, Problem> {
    let (control, actor) = (state.control(), signed_in.actor());
    if form.text("do") == "invite" {
        let id = LinkId::parse(form.text("id"));
        let id = id.ok_or_else(|| Problem::new(Code::InvalidRequest, "Load the page again."))?;
        let email = Some(form.text("email")).filter(|email| !email.is_empty());
        let made = control.create_invitation_by_form(actor, id, email).await?;
        let Some(token) = made else {
            return Ok(go_to("/admin/links?done=before"));
        };
        let made = LinkResponse::to_sign_up(origin, &token);
        let frame = Frame::of(state, signed_in, "accounts");
        let invited = email.and_then(|email| EmailAddress::parse(email).ok());
        return Ok(link::show_invitation(
            frame,
            made,
            invited.as_ref(),
            control.now(),
        ));
    }
    let account = control.get_account_summary(form.text("account")).await?;
    let account = account.account;
    match form.text("do") {
        "suspend" => {
            control.suspend_account(actor, account.id).await?;
            Ok(go_to("/admin/accounts?done=suspended"))
        }
        "resume" => {
            control.resume_account(actor, account.id).await?;
            Ok(go_to("/admin/accounts?done=resumed"))
        }
        "reset" => {
            let token = control.create_password_reset(actor, account.id).await?;
            let made = LinkResponse::to_reset_password(origin, &token);
            let frame = Frame::of(state, signed_in, "accounts");
            let now = control.now();
            Ok(link::show_reset(frame, made, &account.email, now))
        }
        _ => Err(Problem::new(Code::InvalidRequest, "No action was chosen.")),
    }
}

fn notice(done: &str) -> Option<&'static str> {
    match done {
        "suspended" => {
            Some("The account is suspended: its sessions have ended, and its keys no longer work.")
        }
        "resumed" => Some("The account is resumed. Its keys work again."),
        _ => None,
    }
}

async fn show_form(state: &WebState, signed_in: &SignedInSession, form: Form) -> Response {
    let frame = Frame::of(state, signed_in, "accounts");
    let control = state.control();
    let (search, after) = (form.text("search"), AccountId::parse(form.text("after")));
    let accounts = match control.list_accounts(search, after).await {
        Ok(accounts) => accounts,
        Err(problem) => return message::show(frame, &problem),
    };
    let (now, own, outcome) = (control.now(), signed_in.account.id, form.outcome());
    let last = last_of_full(&accounts);
    let shown = AccountsPage {
        frame,
        notice: notice(form.text("done")).filter(|_| form.is_fine()),
        can_invite: control.invitations_are_allowed(),
        id: control.new_invitation_form(),
        search: search.to_owned(),
        next: last.map(|last| next(search, last.account.id)),
        rows: accounts
            .into_iter()
            .map(|summary| AccountView::new(summary, own, now))
            .collect(),
        form,
    };
    page(outcome, &shown)
}

fn next(search: &str, last: AccountId) -> String {
    let last = last.to_string();
    let pairs = [("search", search), ("after", &last)];
    let said = pairs.into_iter().filter(|(_, text)| !text.is_empty());
    with_query("/admin/accounts", said)
}
