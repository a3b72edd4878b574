use askama::Template;
use axum::{extract::State, response::Response};
use http::Uri;
use keygate_core::EmailAddress;

use super::{form::Form, frame::Frame, page, sign_in};
use crate::{client::Sender, state::WebState};

#[derive(Template)]
#[template(path = "reset_password.html")]
struct ResetPasswordPage {
    frame: Frame,
    form: Form,
    /// Whose password it is, if the link is good.
    email: Option<EmailAddress>,
}

/// `GET /reset-password?token=…`
pub(crate) async fn show(State(state): State<WebState>, uri: Uri) -> Response {
    show_form(&state, Form::of_query(&uri)).await
}

/// `POST /reset-password`: sets the password and signs in with it.
pub(crate) async fn submit(
    State(state): State<WebState>,
    sender: Sender,
    mut form: Form,
) -> Response {
    let (control, client) = (state.control(), sender.browser());
    let (token, password) = (form.text("token"), form.text("password"));
    let reset = control.reset_password_and_sign_in(token, password, &client);
    match reset.await {
        Ok(signed_in) => sign_in::begin(&state, &signed_in, "/account?done=password"),
        Err(problem) => {
            form.refuse(problem);
            show_form(&state, form).await
        }
    }
}

pub(super) async fn show_form(state: &WebState, mut form: Form) -> Response {
    let account = state.control().get_password_reset(form.text("token")).await;
    let email = match account {
        Ok(account) => Some(account.email),
        Err(problem) => {
            if form.is_fine() {
                form.refuse(problem);
            }
            None
        }
    };
    let outcome = form.outcome();
    let frame = Frame::signed_out(state, "");
    page(outcome, &ResetPasswordPage { frame, form, email })
}
