use askama::Template;
use axum::{
    Extension, Form,
    extract::{Query, State, rejection::FormRejection},
    response::Response,
};
use http::StatusCode;
use keygate_control::SignUp;
use keygate_core::{Code, Problem};
use keygate_http::ClientAddress;
use serde::Deserialize;

use super::page;
use crate::state::WebState;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    token: String,
}

/// The form as a browser sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SignUpForm {
    email: String,
    password: String,
    token: String,
}

#[derive(Template)]
#[template(path = "sign_up.html")]
struct SignUpPage<'a> {
    email: &'a str,
    token: &'a str,
    error: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "signed_up.html")]
struct SignedUpPage<'a> {
    email: &'a str,
    origin: &'a str,
}

/// `GET /signup?token=…`: where set-up links and invitations lead.
pub(crate) async fn show(Query(link): Query<Link>) -> Response {
    let form = SignUpPage {
        email: "",
        token: &link.token,
        error: None,
    };
    page(StatusCode::OK, &form)
}

/// `POST /signup`: makes the account, or shows the form again with what is wrong.
pub(crate) async fn submit(
    State(state): State<WebState>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    form: Result<Form<SignUpForm>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        let problem = Problem::new(Code::InvalidRequest, "The form was not understood.");
        return refusal(&SignUpForm::default(), &problem);
    };
    let sign_up = SignUp {
        email: &form.email,
        password: &form.password,
        invitation: (!form.token.is_empty()).then_some(form.token.as_str()),
        address,
    };
    match state.control().sign_up(sign_up).await {
        Ok(account) => {
            let welcome = SignedUpPage {
                email: account.email.as_str(),
                origin: &state.site().origin,
            };
            page(StatusCode::CREATED, &welcome)
        }
        Err(problem) => refusal(&form, &problem),
    }
}

fn refusal(form: &SignUpForm, problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let again = SignUpPage {
        email: &form.email,
        token: &form.token,
        error: Some(&problem.message),
    };
    page(status, &again)
}
