use askama::Template;
use axum::{extract::State, response::Response};
use http::Uri;
use keygate_control::{Link, LinkKind, SignUp};
use keygate_core::{Code, EmailAddress};

use super::{form::Form, frame::Frame, page, sign_in};
use crate::{client::Sender, state::WebState};

#[derive(Template)]
#[template(path = "sign_up.html")]
struct SignUpPage {
    frame: Frame,
    form: Form,
    notice: Option<&'static str>,
    /// What the link is good for, if there is one that is.
    link: Option<Link>,
}

impl SignUpPage {
    /// The address that the link is for, if it is for one.
    fn invited(&self) -> Option<&EmailAddress> {
        self.link.as_ref()?.account.as_ref()
    }

    /// Whether nobody can sign up in this way, whatever they type.
    fn is_closed(&self) -> bool {
        let problem = self.form.problem();
        problem.is_some_and(|problem| {
            problem.code == Code::SignupClosed && problem.param.as_deref() != Some("email")
        })
    }

    /// Whether the password is to be typed next, and not the address.
    fn is_password_next(&self) -> bool {
        let is_wrong = |field| self.form.error_of(field).is_some();
        !is_wrong("email") && (is_wrong("password") || self.invited().is_some())
    }
}

/// `GET /signup?token=…`: where set-up links and invitations lead.
pub(crate) async fn show(State(state): State<WebState>, uri: Uri) -> Response {
    let form = Form::of_query(&uri);
    let has_link = !form.text("token").is_empty();
    let notice = if has_link || sign_in::is_set_up(&state).await {
        None
    } else {
        Some(sign_in::NOT_SET_UP)
    };
    show_form(&state, form, notice).await
}

/// `POST /signup`: makes the account and signs in to it, or shows the form again with what is wrong.
pub(crate) async fn submit(
    State(state): State<WebState>,
    sender: Sender,
    mut form: Form,
) -> Response {
    let (client, token) = (sender.browser(), form.text("token"));
    let (email, password) = (form.text("email"), form.text("password"));
    let sign_up = SignUp {
        email,
        password,
        invitation: (!token.is_empty()).then_some(token),
        address: client.address,
    };
    let control = state.control();
    match control.sign_up_and_in(sign_up, &client).await {
        Ok(signed_in) => sign_in::begin(&state, &signed_in, "/keys?done=welcome"),
        Err(problem) => {
            form.refuse(problem);
            show_form(&state, form, None).await
        }
    }
}

/// The form; with what is wrong with its link, unless something else is.
pub(super) async fn show_form(
    state: &WebState,
    mut form: Form,
    notice: Option<&'static str>,
) -> Response {
    let token = form.text("token");
    let link = if token.is_empty() {
        None
    } else {
        match state.control().get_invitation(token).await {
            Ok(link) => Some(link),
            Err(problem) => {
                if form.is_fine() {
                    form.refuse(problem);
                }
                None
            }
        }
    };
    let outcome = form.outcome();
    let frame = Frame::signed_out(state, "");
    page(
        outcome,
        &SignUpPage {
            frame,
            form,
            notice,
            link,
        },
    )
}
