//! What a page says was done. Whoever makes a link could have it say anything, so it is said only where
//! keygate has just led the browser there.

use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderMap, HeaderValue, Uri, uri::PathAndQuery};

use crate::cookie;

/// The parameters of a page's address that have it say something.
const SAYING: [&str; 2] = ["done", "because"];

const NAME: &str = "keygate_notice";
/// How long a browser takes at most to go where it is led.
const LIFETIME_SECONDS: u32 = 60;

/// The cookie that goes with being led to `path`, if that says something.
pub(super) fn cookie(path: &str) -> Option<HeaderValue> {
    let (_, query) = path.split_once('?')?;
    let (_, word) = said(query)?;
    let is_plain = word
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let text =
        format!("{NAME}={word}; Path=/; HttpOnly; SameSite=Strict; Max-Age={LIFETIME_SECONDS}");
    HeaderValue::try_from(text).ok().filter(|_| is_plain)
}

/// Takes what an address has a page say away, unless keygate led the browser there.
pub(crate) async fn keep_true(mut request: Request, next: Next) -> Response {
    let query = request.uri().query().unwrap_or_default();
    if let Some((_, word)) = said(query)
        && !was_led(request.headers(), &word)
    {
        *request.uri_mut() = without_saying(request.uri());
    }
    next.run(request).await
}

/// An address that says nothing, for one that somebody else may have written.
pub(super) fn unsaid(path: &str) -> String {
    let uri: Option<Uri> = path.parse().ok();
    match uri.filter(|uri| uri.query().is_some_and(|query| said(query).is_some())) {
        Some(uri) => without_saying(&uri).to_string(),
        None => path.to_owned(),
    }
}

fn said(query: &str) -> Option<(String, String)> {
    let mut pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
    pairs.find(|(name, _)| SAYING.contains(&name.as_str()))
}

fn was_led(headers: &HeaderMap, word: &str) -> bool {
    cookie::values(headers, NAME).any(|value| value == word.as_bytes())
}

fn without_saying(uri: &Uri) -> Uri {
    let query = uri.query().unwrap_or_default();
    let pairs = form_urlencoded::parse(query.as_bytes());
    let kept = pairs.filter(|(name, _)| !SAYING.contains(&&**name));
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(kept)
        .finish();
    let path = if query.is_empty() {
        uri.path().to_owned()
    } else {
        format!("{}?{query}", uri.path())
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(path).ok();
    Uri::from_parts(parts).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_something_is_taken_away() {
        for (uri, expected) in [
            ("/keys?done=revoked", "/keys"),
            (
                "/keys?status=all&done=revoked&search=a%26b",
                "/keys?status=all&search=a%26b",
            ),
            ("/signin?next=%2Fkeys&because=over", "/signin?next=%2Fkeys"),
        ] {
            let uri: Uri = uri.parse().expect("an address");
            assert_eq!(without_saying(&uri).to_string(), expected);
        }
    }
}
