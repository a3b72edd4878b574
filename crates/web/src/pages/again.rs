use axum::{
    extract::{FromRequest, Request},
    response::Response,
};
use keygate_core::Problem;

use super::{form::Form, reset_password, sign_in, sign_up};
use crate::state::WebState;

/// The forms that somebody fills in who is not signed in.
const FORMS: [&str; 3] = ["/reset-password", "/signin", "/signup"];

/// Whether at this path there is a form that [`show`] shows again.
pub(crate) fn is_form(path: &str) -> bool {
    FORMS.contains(&path)
}

/// The form at which a request was sent, with what was typed into it and why that was refused.
pub(crate) async fn show(state: &WebState, request: Request, problem: Problem) -> Response {
    let path = request.uri().path().to_owned();
    let mut form = match Form::from_request(request, state).await {
        Ok(form) => form,
        Err(response) => return response,
    };
    form.refuse(problem);
    match &*path {
        "/signup" => sign_up::show_form(form, None),
        "/reset-password" => reset_password::show_form(state, form).await,
        _ => sign_in::show_form(state, form, None),
    }
}
