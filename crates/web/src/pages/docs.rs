mod pretty;
mod reference;
mod schema;

use std::sync::LazyLock;

use askama::Template;
use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};

use super::{frame::Frame, page};
use crate::{openapi, origin::Origin, state::WebState};

use reference::Reference;

static REFERENCE: LazyLock<Reference> = LazyLock::new(|| Reference::of(&openapi::value()));

#[derive(Template)]
#[template(path = "docs.html")]
struct DocsPage<'a> {
    frame: Frame,
    /// The address under which the reader knows the service.
    origin: &'a str,
    reference: &'a Reference,
}

/// `GET /docs`: the reference of the management API, for people.
pub(crate) async fn show(
    State(state): State<WebState>,
    Origin(origin): Origin,
    headers: HeaderMap,
) -> Response {
    let docs = DocsPage {
        frame: Frame::public(&state, &headers, "docs").await,
        origin: &origin,
        reference: &REFERENCE,
    };
    page(StatusCode::OK, &docs)
}
