mod pretty;
mod reference;
mod rendered;
mod schema;

use std::sync::LazyLock;

use askama::Template;
use axum::{extract::State, response::Response};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY},
};

use super::{frame::Frame, html_page, message};
use crate::{answer::shutting_down, openapi, origin::Origin, state::WebState};

use reference::Reference;
use rendered::RenderedPages;

static REFERENCE: LazyLock<Reference> = LazyLock::new(|| Reference::of(&openapi::value()));

#[derive(Template)]
#[template(path = "docs.html")]
struct DocsPage<'a> {
    frame: Frame,
    /// The address under which the reader knows the service.
    origin: &'a str,
    reference: &'a Reference,
}

static PAGES: RenderedPages = RenderedPages::new();

/// `GET /docs`: the reference of the management API, for people.
pub(crate) async fn show(
    State(state): State<WebState>,
    Origin(origin): Origin,
    headers: HeaderMap,
) -> Response {
    let frame = Frame::public(&state, &headers, "docs").await;
    let Some(rendered) = PAGES.get((frame.clone(), origin), render).await else {
        return message::show(frame, &shutting_down());
    };
    let takes_gzip = takes_gzip(&headers);
    let body = if takes_gzip {
        &rendered.gzip
    } else {
        &rendered.plain
    };
    let mut response = html_page(StatusCode::OK, body.clone());
    let headers = response.headers_mut();
    if takes_gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        // What is encoded already is passed by whoever would say so otherwise.
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    response
}

fn render((frame, origin): &(Frame, String)) -> String {
    let docs = DocsPage {
        frame: frame.clone(),
        origin,
        reference: &REFERENCE,
    };
    docs.render().expect("the templates render from memory")
}

/// Whether a client takes gzip (RFC 9110 section 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(ACCEPT_ENCODING).iter();
    let codings = codings.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let is_gzip = |coding: &[u8]| {
        let mut parts = coding.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let is_named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(b"gzip"));
        let is_refused = |weight: &[u8]| {
            let zero = weight.strip_prefix(b"q=0").or(weight.strip_prefix(b"Q=0"));
            zero.is_some_and(|rest| rest.iter().all(|byte| matches!(byte, b'.' | b'0')))
        };
        is_named && !parts.any(is_refused)
    };
    codings.into_iter().any(is_gzip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_those_who_ask_for_it() {
        for (accept, expected) in [
            ("gzip, deflate, br", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("br", false),
            ("gzipped", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accept));
            assert_eq!(takes_gzip(&headers), expected, "{accept}");
        }
    }
}
