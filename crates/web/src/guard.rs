//! What stands before the handlers.

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{
    HeaderValue, Method,
    header::{
        CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ORIGIN, SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
    },
};
use http_body::Body as _;
use http_body_util::BodyExt;
use keygate_control::SignedInSession;
use keygate_core::{Code, Problem, Role};
use keygate_http::ClientAddress;

use crate::{
    answer::Answer,
    body::BODY_TIMEOUT,
    origin::{as_browsers_write, host, is_plain, origin_of, seen},
    pages::{again::Again, frame::Frame, message, sign_in},
    state::{Site, WebState},
};

/// Private answers are not kept by anybody, unless a handler says otherwise, and no answer is taken for
/// something else than it says it is.
pub(crate) async fn no_store(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Has browsers that get the session's cookie forget what they have under its name before: of two there is none.
pub(crate) async fn clear_old_cookie(
    State(state): State<WebState>,
    request: Request,
    next: Next,
) -> Response {
    let cleared = state.cookie().clear_old(request.headers());
    let mut response = next.run(request).await;
    if let Some(cleared) = cleared.filter(|_| state.cookie().is_set_by(response.headers())) {
        response.headers_mut().append(SET_COOKIE, cleared);
    }
    response
}

/// Lets a write through only if no other web page began it, and only with JSON in it.
///
/// Browsers say where a request comes from in `Sec-Fetch-Site` and `Origin`, and scripts outside
/// of them send neither. The cookie's `SameSite=Lax` is a second line, not the first.
pub(crate) async fn same_origin_json(
    State(state): State<WebState>,
    request: Request,
    next: Next,
) -> Answer<Response> {
    if !is_write(request.method()) {
        return Ok(next.run(request).await);
    }
    if let Err(problem) = refuse_cross_origin(&request, state.site()) {
        return Ok(refuse_write(&state, request, problem).await);
    }
    if !request.uri().path().starts_with("/api/") {
        return Ok(next.run(request).await);
    }
    let request = refuse_other_media_types(request).await?;
    Ok(next.run(request).await)
}

/// Refuses what was sent to this machine under a name that is not its own: a page somewhere else whose name
/// was pointed here would be let in by browsers as if it were ours (DNS rebinding).
pub(crate) async fn own_host(
    State(state): State<WebState>,
    request: Request,
    next: Next,
) -> Response {
    if is_rebound(&request, state.site()) {
        let host = host(request.uri(), request.headers());
        let called = host.and_then(|host| named(&origin_of(&host)?));
        let what = "The Host of this request is not this service.";
        let problem = not_called_so(what, called.as_deref());
        return message::refuse(&state, request.uri(), request.headers(), &problem);
    }
    next.run(request).await
}

/// Whether a browser of this machine may have been led here by a name of somebody else's. Names without a
/// dot are nobody's, and whoever comes through a trusted proxy is not on this machine.
fn is_rebound(request: &Request, site: &Site) -> bool {
    let client: Option<&ClientAddress> = request.extensions().get();
    let is_local = client.is_some_and(|ClientAddress(address)| address.is_loopback());
    let Some(authority) = host(request.uri(), request.headers()).filter(|_| is_local) else {
        return false;
    };
    let name = authority.host().trim_end_matches('.');
    let is_ours = is_plain(&authority)
        || !name.contains('.')
        || name.to_ascii_lowercase().ends_with(".localhost")
        || site.is_called(name);
    !is_ours
}

/// Lets through whoever has a live session, and tells the handler whose it is.
pub(crate) async fn require_session(
    State(state): State<WebState>,
    mut request: Request,
    next: Next,
) -> Answer<Response> {
    authenticate(&state, &mut request).await?;
    Ok(run_counted(&state, request, next).await?)
}

/// Runs a handler, and counts what it changes among the changes of the account.
async fn run_counted(state: &WebState, request: Request, next: Next) -> Result<Response, Problem> {
    let signed_in: Option<&SignedInSession> = request.extensions().get();
    let Some(signed_in) = signed_in.filter(|_| is_write(request.method())) else {
        return Ok(next.run(request).await);
    };
    let counted = state.control().count_change(signed_in)?;
    let answer = next.run(request).await;
    if answer.status().is_client_error() || answer.status().is_server_error() {
        state.control().take_back_change(counted);
    }
    Ok(answer)
}

/// Tells the handlers of a request whose session it comes with.
async fn authenticate(state: &WebState, request: &mut Request) -> Result<(), Problem> {
    let token = state.cookie().read(request.headers());
    let signed_in = state.control().authenticate(token).await?;
    request.extensions_mut().insert(signed_in);
    Ok(())
}

/// Lets through the sessions of admins only.
pub(crate) async fn require_admin(
    Extension(signed_in): Extension<SignedInSession>,
    request: Request,
    next: Next,
) -> Answer<Response> {
    refuse_members(&signed_in)?;
    Ok(next.run(request).await)
}

/// The same as [`require_session`] for a page: whoever has no session is asked to sign in.
pub(crate) async fn require_signed_in(
    State(state): State<WebState>,
    mut request: Request,
    next: Next,
) -> Response {
    match authenticate(&state, &mut request).await {
        Ok(()) => {
            let frame = Frame::of_request(&state, &request, "");
            let answer = run_counted(&state, request, next).await;
            answer.unwrap_or_else(|problem| message::show(frame, &problem))
        }
        Err(problem) => match problem.code {
            Code::SessionRequired => sign_in::ask(&state, request, false).await,
            Code::SessionExpired => sign_in::ask(&state, request, true).await,
            _ => message::show(Frame::signed_out(&state, ""), &problem),
        },
    }
}

/// The same as [`require_admin`] for a page.
pub(crate) async fn require_signed_in_admin(
    State(state): State<WebState>,
    Extension(signed_in): Extension<SignedInSession>,
    request: Request,
    next: Next,
) -> Response {
    match refuse_members(&signed_in) {
        Ok(()) => next.run(request).await,
        Err(problem) => message::show(Frame::of(&state, &signed_in, ""), &problem),
    }
}

fn refuse_members(signed_in: &SignedInSession) -> Result<(), Problem> {
    if signed_in.account.role == Role::Admin {
        return Ok(());
    }
    Err(Problem::new(
        Code::AdminRequired,
        "Only admins may do this.",
    ))
}

fn is_write(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn refuse_cross_origin(request: &Request, site: &Site) -> Result<(), Problem> {
    let headers = request.headers();
    let fetch_site = headers.get("sec-fetch-site");
    if fetch_site.is_some_and(|from| from != "same-origin" && from != "none") {
        return Err(Problem::new(
            Code::CrossOriginRequest,
            "Another website sent this request (Sec-Fetch-Site). Only keygate's own pages may.",
        ));
    }
    // Settings for privacy hide the origin of a page's own form, too; what the browser itself says of it is
    // left, and no page can write that.
    let is_vouched_for = fetch_site.is_some_and(|from| from == "same-origin");
    let is_own = |origin| (origin == "null" && is_vouched_for) || is_own(origin, request, site);
    if headers.get_all(ORIGIN).iter().all(is_own) {
        return Ok(());
    }
    let origin = headers
        .get(ORIGIN)
        .and_then(|origin| named(origin.to_str().ok()?));
    let what = "The Origin of this request is not this service.";
    Err(not_called_so(what, origin.as_deref()))
}

/// Refuses a write. Who typed it in a page that was reached by a name which is not known to be ours is shown it
/// again, to send it once the operator has set the name.
async fn refuse_write(state: &WebState, request: Request, problem: Problem) -> Response {
    if let Some(again) = Again::at(request.uri().path())
        && is_sent_to_its_origin(&request)
    {
        return again.show(state, request, problem).await;
    }
    message::refuse(state, request.uri(), request.headers(), &problem)
}

/// Whether the page that sent a request was found under the host that the request was sent to.
fn is_sent_to_its_origin(request: &Request) -> bool {
    let origin = request.headers().get(ORIGIN);
    let origin = origin.and_then(|origin| as_browsers_write(origin.to_str().ok()?));
    let host = host(request.uri(), request.headers());
    let called = host.and_then(|host| origin_of(&host));
    origin.is_some() && origin == called
}

/// What the operator is to do, if that is how the service is called.
fn not_called_so(what: &str, called: Option<&str>) -> Problem {
    let called = called.unwrap_or("URL");
    let message = format!(
        "{what} If it is, its operator starts it with --public-url {called}, or sets server.public_url."
    );
    Problem::new(Code::OriginNotAllowed, message)
}

/// An origin that can be put in a command as it stands.
fn named(origin: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:/[]".contains(&byte);
    let origin = as_browsers_write(origin)?;
    origin.bytes().all(is_plain).then_some(origin)
}

fn is_own(origin: &HeaderValue, request: &Request, site: &Site) -> bool {
    let Some(origin) = origin.to_str().ok().and_then(as_browsers_write) else {
        return false;
    };
    let seen = seen(site, request.uri(), request.headers());
    origin == site.origin || origin == seen
}

async fn refuse_other_media_types(request: Request) -> Result<Request, Problem> {
    let headers = request.headers();
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let is_json = match (types.next(), types.next()) {
        (Some(one), None) => is_json(one),
        _ => false,
    };
    let is_plain = is_json && !headers.contains_key(CONTENT_ENCODING);
    if is_plain || request.body().is_end_stream() {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    if is_empty(body).await {
        return Ok(Request::from_parts(parts, Body::empty()));
    }
    Err(Problem::new(
        Code::UnsupportedMediaType,
        "The body must be JSON, not encoded further, with \"Content-Type: application/json\".",
    ))
}

/// Whether there is nothing in a body, which may not say so before it is read.
async fn is_empty(mut body: Body) -> bool {
    if body.size_hint().lower() > 0 {
        return false;
    }
    let read = async {
        loop {
            match body.frame().await {
                None => return true,
                Some(Ok(frame)) if frame.data_ref().is_some_and(Bytes::is_empty) => {}
                Some(_) => return false,
            }
        }
    };
    let read = tokio::time::timeout(BODY_TIMEOUT, read).await;
    read.unwrap_or(false)
}

/// JSON has no charset (RFC 8259 section 11), so what is said of one means nothing; but what says that
/// it is UTF-16 or UTF-32 may well be.
fn is_json(content_type: &HeaderValue) -> bool {
    let text = String::from_utf8_lossy(content_type.as_bytes()).to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let is_wide = |parameter: &str| {
        let charset = parameter.strip_prefix("charset=").unwrap_or_default();
        let charset = charset.trim_matches('"').replace(['-', '_'], "");
        charset.starts_with("utf16") || charset.starts_with("utf32")
    };
    parts.next() == Some("application/json") && !parts.any(is_wide)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_json_in_utf8_only() {
        for (text, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=UTF-8", true),
            ("application/json;", true),
            ("application/json; charset=utf8", true),
            ("application/json; charset=us-ascii", true),
            ("application/json; charset=\"UTF-16LE\"", false),
            ("application/json;charset=utf_32", false),
            ("application/json; charset=utf-16", false),
            ("application/jsonp", false),
            ("text/plain", false),
            ("text/plain; application/json", false),
            ("application/x-www-form-urlencoded", false),
            ("", false),
        ] {
            assert_eq!(is_json(&HeaderValue::from_static(text)), expected, "{text}");
        }
    }
}
