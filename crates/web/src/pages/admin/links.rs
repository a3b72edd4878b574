use askama::Template;
use axum::{Extension, extract::State, response::Response};
use http::Uri;
use keygate_control::{Link, LinkKind, PAGE, SignedInSession};
use keygate_core::{LinkId, Timestamp};

use crate::{
    pages::{
        form::Form, frame::Frame, go_to, last_of_full, message, moment::Moment, page, with_query,
    },
    state::WebState,
};

#[derive(Template)]
#[template(path = "admin/links.html")]
struct LinksPage {
    frame: Frame,
    notice: Option<&'static str>,
    form: Form,
    rows: Vec<LinkView>,
    next: Option<String>,
}

struct LinkView {
    id: LinkId,
    purpose: String,
    created_by: String,
    created: Moment,
    expires: Moment,
}

impl LinkView {
    fn new(link: Link, now: Timestamp) -> Self {
        let maker = link.created_by.map(|email| email.to_string());
        Self {
            id: link.id,
            purpose: match (link.kind, link.account) {
                (LinkKind::Setup, _) => "First account".into(),
                (LinkKind::PasswordReset, Some(email)) => format!("Password reset for {email}"),
                (LinkKind::PasswordReset, None) => "Password reset".into(),
                (LinkKind::Invitation, Some(email)) => format!("Invitation for {email}"),
                (LinkKind::Invitation, None) => "Invitation".into(),
            },
            created_by: maker.unwrap_or_else(|| "operator".into()),
            created: Moment::new(link.created_at, now),
            expires: Moment::new(link.expires_at, now),
        }
    }
}

/// `GET /admin/links`
pub(crate) async fn show(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    uri: Uri,
) -> Response {
    show_form(&state, &signed_in, Form::of_query(&uri)).await
}

/// `POST /admin/links`: withdraws a link.
pub(crate) async fn change(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    mut form: Form,
) -> Response {
    let actor = signed_in.actor();
    let withdrawn = state.control().withdraw_link(actor, form.text("link"));
    match withdrawn.await {
        Ok(()) => go_to("/admin/links?done=withdrawn"),
        Err(problem) => {
            form.refuse(problem);
            show_form(&state, &signed_in, form).await
        }
    }
}

fn notice(done: &str) -> Option<&'static str> {
    match done {
        "withdrawn" => Some("The link is withdrawn: it no longer works."),
        "before" => Some(
            "This form was already sent and created an invitation, which is in this list. If you have not copied its link, withdraw it and create another.",
        ),
        _ => None,
    }
}

async fn show_form(state: &WebState, signed_in: &SignedInSession, form: Form) -> Response {
    let frame = Frame::of(state, signed_in, "accounts");
    let before = LinkId::parse(form.text("before"));
    let links = match state.control().list_links(before, PAGE).await {
        Ok(links) => links,
        Err(problem) => return message::show(frame, &problem),
    };
    let (now, outcome) = (state.control().now(), form.outcome());
    let notice = notice(form.text("done")).filter(|_| form.is_fine());
    let shown = LinksPage {
        frame,
        notice,
        form,
        next: last_of_full(&links).map(|last| next(last.id)),
        rows: links
            .into_iter()
            .map(|link| LinkView::new(link, now))
            .collect(),
    };
    page(outcome, &shown)
}

fn next(last: LinkId) -> String {
    with_query("/admin/links", [("before", &*last.to_string())])
}
