use askama::Template;
use axum::{
    Extension, Form,
    extract::{FromRequest, Query, Request, State, rejection::QueryRejection},
    response::Response,
};
use http::StatusCode;
use keygate_control::SignUp;
use keygate_core::{Code, Problem};
use keygate_http::ClientAddress;
use serde::Deserialize;

use super::page;
use crate::{fields::read_body, state::WebState};

#[derive(Default, Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    token: String,
}

/// The form as a browser sends it.
#[derive(Default, Deserialize)]
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
pub(crate) async fn show(link: Result<Query<Link>, QueryRejection>) -> Response {
    let Query(link) = link.unwrap_or_default();
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
    request: Request,
) -> Response {
    let form = match read_form(request).await {
        Ok(form) => form,
        Err(problem) => return refusal(&SignUpForm::default(), &problem),
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

async fn read_form(request: Request) -> Result<SignUpForm, Problem> {
    let (parts, body) = request.into_parts();
    let body = read_body(&parts.headers, body).await?;
    let form = Form::from_request(Request::from_parts(parts, body.into()), &()).await;
    form.map(|Form(form)| form)
        .map_err(|_| Problem::new(Code::InvalidRequest, "The form was not understood."))
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
