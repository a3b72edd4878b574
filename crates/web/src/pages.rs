//! The pages for people: forms that work without scripts, over the same use cases as the API.
//!
//! A page posts to itself; where a form has several buttons, `do` says which one was pressed. What
//! was typed comes back with what is wrong about it. After a change that worked, the browser is led
//! to a page that it may load again.

pub(crate) mod account;
pub(crate) mod admin;
mod browser;
mod compression;
pub(crate) mod docs;
mod form;
pub(crate) mod frame;
pub(crate) mod keys;
pub(crate) mod message;
mod moment;
mod record;
pub(crate) mod reset_password;
pub(crate) mod sign_in;
pub(crate) mod sign_out;
pub(crate) mod sign_up;
pub(crate) mod start;

pub(crate) use compression::is_compressible;

use askama::Template;
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS},
};

/// Everything comes from here, nothing stands in the page itself, and no other site may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

fn page(status: StatusCode, template: &impl Template) -> Response {
    let html = template.render().expect("the templates render from memory");
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // Some addresses hold a token. Without a referrer to ourselves, browsers would send no origin.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
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
    Redirect::to(path).into_response()
}
