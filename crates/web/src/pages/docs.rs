mod calling;
mod pretty;
mod reference;
mod schema;

use std::sync::OnceLock;

use askama::Template;
use axum::{Extension, extract::State, response::Response};
use http::{HeaderMap, StatusCode};

use super::{frame::Frame, html_page, message};
use crate::{
    answer::shutting_down,
    openapi::{Document, LazyDocument},
    origin::Origin,
    rendered::RenderedLast,
    state::WebState,
};

use calling::Calling;
use reference::Reference;

static REFERENCE: OnceLock<Reference> = OnceLock::new();

#[derive(Template)]
#[template(path = "docs.html")]
struct DocsPage<'a> {
    frame: Frame,
    /// The address under which the reader knows the service.
    origin: &'a str,
    calling: Calling,
    reference: &'a Reference,
}

/// They differ by who looks and by which address.
static PAGES: RenderedLast<(Frame, String)> = RenderedLast::keeping(8);

/// `GET /docs`: how the API is called, and the reference of the management API, for people.
pub(crate) async fn show(
    State(state): State<WebState>,
    Extension(document): Extension<LazyDocument>,
    Origin(origin): Origin,
    headers: HeaderMap,
) -> Response {
    let frame = Frame::public(&state, &headers, "docs").await;
    let render = move |key: &_| render(document, key);
    let Some(rendered) = PAGES.get((frame.clone(), origin), render).await else {
        return message::show(frame, &shutting_down());
    };
    rendered.answer(&headers, |body| html_page(StatusCode::OK, body))
}

fn render(document: &Document, (frame, origin): &(Frame, String)) -> String {
    let docs = DocsPage {
        frame: frame.clone(),
        origin,
        calling: Calling::at(origin),
        reference: REFERENCE.get_or_init(|| Reference::of(&document.value())),
    };
    docs.render().expect("the templates render from memory")
}
