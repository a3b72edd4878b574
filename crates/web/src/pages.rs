//! The pages for people: forms that work without scripts, over the same use cases as the API.
//!
//! A page posts to itself; where a form has several buttons, `do` says which one was pressed. What
//! was typed comes back with what is wrong about it. After a change that worked, the browser is led
//! to a page that it may load again.

pub(crate) mod account;
pub(crate) mod admin;
pub(crate) mod again;
mod browser;
mod compression;
pub(crate) mod docs;
mod form;
pub(crate) mod frame;
pub(crate) mod keys;
pub(crate) mod logo;
pub(crate) mod message;
mod moment;
pub(crate) mod notice;
mod pieces;
mod record;
pub(crate) mod reset_password;
pub(crate) mod sign_in;
pub(crate) mod sign_out;
pub(crate) mod sign_up;
pub(crate) mod start;
pub(crate) mod status;

pub(crate) use compression::is_compressible;

use std::time::Duration;

use askama::Template;
use axum::{
    body::{Body, Bytes},
    response::{Html, IntoResponse, Redirect, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, X_FRAME_OPTIONS},
};
use keygate_control::PAGE;
use keygate_core::Problem;
use keygate_http::{ServerFailure, retry_after, status_of};

use pieces::Pieces;

/// Everything comes from here, nothing stands in the page itself, and no other site may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// How a page is answered.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    status: StatusCode,
    retry_after: Option<Duration>,
    failure: Option<ServerFailure>,
}

impl From<StatusCode> for Outcome {
    fn from(status: StatusCode) -> Self {
        Self {
            status,
            retry_after: None,
            failure: None,
        }
    }
}

impl From<&Problem> for Outcome {
    fn from(problem: &Problem) -> Self {
        let status = StatusCode::from_u16(status_of(problem.code));
        Self {
            status: status.unwrap_or(StatusCode::BAD_REQUEST),
            retry_after: problem.retry_after,
            failure: ServerFailure::of(problem),
        }
    }
}

fn page(outcome: impl Into<Outcome>, template: &impl Template) -> Response {
    let html = template.render().expect("the templates render from memory");
    html_page(outcome, html)
}

fn html_page(outcome: impl Into<Outcome>, html: impl Into<Bytes>) -> Response {
    let outcome = outcome.into();
    let body = Body::new(Pieces::of(html));
    let mut response = (outcome.status, Html(body)).into_response();
    if let Some(failure) = outcome.failure {
        response.extensions_mut().insert(failure);
    }
    let headers = response.headers_mut();
    if let Some(after) = outcome.retry_after {
        headers.insert(RETRY_AFTER, retry_after(after));
    }
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // Some addresses hold a token. With no referrer at all, browsers would send no origin with a form.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

/// The last item of a page of a list, if more may come after it.
fn last_of_full<T>(items: &[T]) -> Option<&T> {
    items.last().filter(|_| items.len() == PAGE as usize)
}

/// A path with a query.
fn with_query<'a>(path: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    match query.extend_pairs(pairs).finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// Leads the browser to another page of ours, by GET.
fn go_to(path: &str) -> Response {
    let mut response = Redirect::to(path).into_response();
    if let Some(cookie) = notice::cookie(path) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
