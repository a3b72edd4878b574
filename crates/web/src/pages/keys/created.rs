use askama::Template;
use axum::response::Response;
use http::StatusCode;
use keygate_control::IssuedKey;
use keygate_core::{KeyId, Scope, Timestamp, key::KeyName};

use super::{
    names,
    setups::setups,
    snippets::{Language, Snippet, base_url, languages},
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
    base_url: String,
    can_list: bool,
    can_chat: bool,
    languages: Vec<Language>,
    setups: Vec<Snippet>,
}

/// The one page that shows a key's secret.
pub(super) fn show(frame: Frame, issued: &IssuedKey, origin: &str, now: Timestamp) -> Response {
    let IssuedKey { key, secret } = issued;
    let (scopes, secret) = (key.details.scopes, secret.expose());
    let created = CreatedPage {
        frame,
        id: key.id,
        name: &key.details.name,
        scopes: names(scopes),
        expires: key.details.expires_at.map(|at| Moment::new(at, now)),
        secret,
        base_url: base_url(origin),
        can_list: scopes.permits(Scope::Read),
        can_chat: scopes.permits(Scope::Chat),
        languages: languages(scopes, secret, origin),
        setups: setups(scopes, secret, origin),
    };
    with_secret(page(StatusCode::CREATED, &created))
}
