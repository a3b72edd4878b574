//! The identity headers, which tell the upstream whose request it is.

use http::{HeaderMap, HeaderName, HeaderValue};
use keygate_core::Credential;
use keygate_http::has_spelling_of;
use uuid::Uuid;

pub(crate) const KEY_ID: HeaderName = HeaderName::from_static("x-keygate-key-id");
pub(crate) const ACCOUNT_ID: HeaderName = HeaderName::from_static("x-keygate-account-id");
pub(crate) const SCOPES: HeaderName = HeaderName::from_static("x-keygate-scopes");

/// Calls `header` with each identity header.
pub(crate) fn write(credential: &Credential, mut header: impl FnMut(&HeaderName, &[u8])) {
    let mut id = Uuid::encode_buffer();
    let mut hyphenated = |bytes: &[u8; 16], name: &HeaderName| {
        let id = Uuid::from_bytes(*bytes).hyphenated().encode_lower(&mut id);
        header(name, id.as_bytes());
    };
    hyphenated(credential.key_id.as_bytes(), &KEY_ID);
    hyphenated(credential.account_id.as_bytes(), &ACCOUNT_ID);
    header(&SCOPES, credential.scopes.as_str().as_bytes());
}

/// Inserts the identity headers.
pub(crate) fn insert(headers: &mut HeaderMap, credential: &Credential) {
    write(credential, into(headers));
}

/// Inserts headers in place of those with the same name. Their values must be visible ASCII.
pub(crate) fn into(headers: &mut HeaderMap) -> impl FnMut(&HeaderName, &[u8]) {
    |name, value| {
        let value = HeaderValue::from_bytes(value).expect("plain words are header values");
        headers.insert(name, value);
    }
}

/// Headers that a client sent under keygate's names, also spelt with underscores: some servers treat
/// those as the same header.
pub(crate) fn spoofed(headers: &HeaderMap) -> impl Iterator<Item = &HeaderName> {
    headers
        .keys()
        .filter(|name| is_identity_header(name.as_str().as_bytes()))
}

/// Whether a header's name is one of keygate's, in any spelling.
pub(crate) fn is_identity_header(name: &[u8]) -> bool {
    has_spelling_of(name, "x-keygate-")
}
