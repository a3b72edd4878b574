use askama::Template;
use axum::{
    extract::{FromRequest, Request, State},
    response::Response,
};
use http::{Method, StatusCode, Uri, header::SET_COOKIE};
use keygate_control::SignedIn;

use super::{form::Form, frame::Frame, go_to, notice, page, with_query};
use crate::{client::Sender, state::WebState};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    form: Form,
    notice: Option<&'static str>,
    signup_is_open: bool,
}

/// A page's address with all that somebody can have typed is shorter.
const MAX_NEXT: usize = 8 * 1024;

pub(super) const NOT_SET_UP: &str = "There is no account yet. The operator creates the first one with the link that keygate printed when it started.";

/// `GET /signin`; `?next=` is the page to which it leads.
pub(crate) async fn show(State(state): State<WebState>, uri: Uri) -> Response {
    let form = Form::of_query(&uri);
    let notice = match form.text("because") {
        "over" => Some("Your session has ended. Sign in again to continue."),
        "signed-out" => Some("You are signed out."),
        _ if !is_set_up(&state).await => Some(NOT_SET_UP),
        _ => None,
    };
    show_form(&state, form, notice)
}

/// `POST /signin`
pub(crate) async fn submit(
    State(state): State<WebState>,
    sender: Sender,
    mut form: Form,
) -> Response {
    let (email, password) = (form.text("email"), form.text("password"));
    let control = state.control();
    match control.sign_in(email, password, &sender.browser()).await {
        Ok(signed_in) => begin(&state, &signed_in, &notice::unsaid(form.text("next"))),
        Err(problem) => {
            form.refuse(problem);
            show_form(&state, form, None)
        }
    }
}

/// Hands a new session's cookie out, and the one by which the browser is known again, and leads to a page.
pub(super) fn begin(state: &WebState, signed_in: &SignedIn, next: &str) -> Response {
    let next = if is_own_page(next) { next } else { "/keys" };
    let mut response = go_to(next);
    let notice = response.headers_mut().remove(SET_COOKIE);
    let session = state.cookie().set(&signed_in.token);
    let browser = signed_in.browser.as_ref();
    let browser = browser.map(|token| state.browser_cookie().set(token));
    for cookie in [session].into_iter().chain(browser).chain(notice) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// Asks whoever has no session to sign in, and to go on where they were. What was typed into a form is
/// filled in there again.
pub(crate) async fn ask(state: &WebState, request: Request, is_over: bool) -> Response {
    let path = request.uri().path().to_owned();
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        let query = request.uri().query();
        let next = query.map_or(path.clone(), |query| format!("{path}?{query}"));
        let next = if is_own_page(&next) { next } else { path };
        let mut pairs = vec![("next", &*next)];
        if is_over {
            pairs.push(("because", "over"));
        }
        return go_to(&with_query("/signin", pairs));
    }
    let typed = Form::from_request(request, state).await;
    let kept = typed.ok().map(|typed| with_query(&path, typed.typed()));
    let kept = kept.filter(|kept| is_own_page(kept));
    let notice = if kept.is_some() { KEPT } else { NOT_KEPT };
    let mut form = Form::default();
    form.set("next", [kept.as_deref().unwrap_or(&path)]);
    let mut response = show_form(state, form, Some(notice));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response
}

const KEPT: &str =
    "Your session has ended, and nothing was changed. Sign in again; what you typed is kept.";
const NOT_KEPT: &str = "Your session has ended, and nothing was changed. What you typed is too long to be kept here: go back and copy it before you \
    sign in again.";

/// Whether it is a path of this host: `//` and `/\` would lead elsewhere, also with a tab or a line's end
/// between, which browsers leave out (URL standard, section 4.4).
fn is_own_page(next: &str) -> bool {
    next.len() <= MAX_NEXT
        && next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && next.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether there is an account, as far as is known.
pub(super) async fn is_set_up(state: &WebState) -> bool {
    !matches!(state.control().is_set_up().await, Ok(false))
}

pub(super) fn show_form(state: &WebState, form: Form, notice: Option<&'static str>) -> Response {
    let outcome = form.outcome();
    let sign_in = SignInPage {
        frame: Frame::signed_out(state, "signin"),
        form,
        notice,
        signup_is_open: state.control().signup_is_open(),
    };
    page(outcome, &sign_in)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_led_to_own_pages_only() {
        for own in ["/keys", "/keys/new?name=a%20b", "/admin/audit"] {
            assert!(is_own_page(own), "{own}");
        }
        for other in [
            "",
            "keys",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\n",
            "/\t/evil.example",
            "/ü",
            &format!("/{}", "x".repeat(MAX_NEXT)),
            "javascript:alert(1)",
        ] {
            assert!(!is_own_page(other), "{other:?}");
        }
    }
}
