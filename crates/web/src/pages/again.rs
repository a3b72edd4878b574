use axum::{
    extract::{FromRequest, Request},
    response::Response,
};
use keygate_core::Problem;

use super::{form::Form, reset_password, sign_in, sign_up};
use crate::state::WebState;

/// A form that somebody fills in who is not signed in, to be shown again.
#[derive(Clone, Copy)]
pub(crate) enum Again {
    ResetPassword,
    SignIn,
    SignUp,
}

impl Again {
    /// The form that is sent to this path, if it is one.
    pub(crate) fn at(path: &str) -> Option<Self> {
        match path {
            "/reset-password" => Some(Self::ResetPassword),
            "/signin" => Some(Self::SignIn),
            "/signup" => Some(Self::SignUp),
            _ => None,
        }
    }

    /// Shows it with what was typed into it and why that was refused.
    pub(crate) async fn show(
        self,
        state: &WebState,
        request: Request,
        problem: Problem,
    ) -> Response {
        let mut form = match Form::from_request(request, state).await {
            Ok(form) => form,
            Err(response) => return response,
        };
        form.refuse(problem);
        match self {
            Self::ResetPassword => reset_password::show_form(state, form).await,
            Self::SignIn => sign_in::show_form(state, form, None),
            Self::SignUp => sign_up::show_form(state, form, None).await,
        }
    }
}
