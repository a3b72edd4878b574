use askama::Template;
use axum::response::Response;
use http::StatusCode;
use keygate_control::IssuedKey;
use keygate_core::{KeyId, Timestamp, key::KeyName};

use super::{
    names,
    snippets::{Snippet, snippets},
};
use crate::pages::{compression::with_secret, frame::Frame, moment::Moment, page};

#[derive(Template)]
#[template(path = "keys/created.html")]
struct CreatedPage<'a> {
    frame: Frame,
    id: KeyId,
    name: &'a KeyName,
    scopes: Vec<&'static str>,
    expires: Option<Moment>,
    secret: &'a str,
    snippets: Vec<Snippet>,
}

/// The one page that shows a key's secret.
pub(super) fn show(frame: Frame, issued: &IssuedKey, origin: &str, now: Timestamp) -> Response {
    let IssuedKey { key, secret } = issued;
    let created = CreatedPage {
        frame,
        id: key.id,
        name: &key.details.name,
        scopes: names(key.details.scopes),
        expires: key.details.expires_at.map(|at| Moment::new(at, now)),
        secret: secret.expose(),
        snippets: snippets(key.details.scopes, secret.expose(), origin),
    };
    with_secret(page(StatusCode::CREATED, &created))
}
