use askama::Template;
use axum::{body::Body, extract::State, response::Response};
use http::{HeaderMap, Uri, header::ACCEPT};
use keygate_core::{Code, Problem};
use keygate_http::problem_response;

use super::{frame::Frame, page};
use crate::{
    answer::{method_not_allowed, not_found},
    state::WebState,
};

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    frame: Frame,
    title: &'a str,
    message: &'a str,
}

/// The page that says what went wrong.
pub(crate) fn show(frame: Frame, problem: &Problem) -> Response {
    let title = match problem.code {
        Code::NotFound | Code::KeyNotFound => "Not found",
        Code::AdminRequired => "Not for this account",
        Code::StorageUnavailable | Code::Overloaded | Code::RateLimitExceeded => "Not now",
        _ => "That did not work",
    };
    let message = &problem.message;
    let message = MessagePage {
        frame,
        title,
        message,
    };
    page(problem, &message)
}

/// What went wrong before it was clear which page was meant: a page for a browser that loads one, JSON
/// for whoever else asks.
pub(crate) fn refuse(
    state: &WebState,
    uri: &Uri,
    headers: &HeaderMap,
    problem: &Problem,
) -> Response {
    if wants_html(headers) && !uri.path().starts_with("/api/") {
        show(Frame::signed_out(state, ""), problem)
    } else {
        problem_response::<Body>(problem)
    }
}

/// What is at no address.
pub(crate) async fn nothing_here(
    State(state): State<WebState>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    refuse(&state, &uri, &headers, &not_found())
}

/// What takes another method.
pub(crate) async fn other_method(
    State(state): State<WebState>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    refuse(&state, &uri, &headers, &method_not_allowed())
}

fn wants_html(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter();
    let mut types = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    types.any(|range| {
        let name = range.split(|byte| *byte == b';').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"text/html")
    })
}
