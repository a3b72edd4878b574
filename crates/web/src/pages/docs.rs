mod pretty;
mod reference;
mod schema;

use std::sync::LazyLock;

use askama::Template;
use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};

use super::{frame::Frame, html_page, message};
use crate::{
    answer::shutting_down, openapi, origin::Origin, rendered::RenderedLast, state::WebState,
};

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

/// They differ by who looks and by which address.
static PAGES: RenderedLast<(Frame, String)> = RenderedLast::keeping(8);

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
    rendered.answer(&headers, |body| html_page(StatusCode::OK, body))
}

fn render((frame, origin): &(Frame, String)) -> String {
    let docs = DocsPage {
        frame: frame.clone(),
        origin,
        reference: &REFERENCE,
    };
    docs.render().expect("the templates render from memory")
}
