//! The headers that say whose request it is.

use http::{HeaderMap, HeaderName, HeaderValue};
use keygate_core::{Credential, Scopes};

pub(crate) const KEY_ID: HeaderName = HeaderName::from_static("x-keygate-key-id");
pub(crate) const ACCOUNT_ID: HeaderName = HeaderName::from_static("x-keygate-account-id");
pub(crate) const SCOPES: HeaderName = HeaderName::from_static("x-keygate-scopes");

/// Says whose request it is.
pub(crate) fn insert(headers: &mut HeaderMap, credential: &Credential) {
    headers.insert(KEY_ID, value(credential.key_id));
    headers.insert(ACCOUNT_ID, value(credential.account_id));
    headers.insert(SCOPES, scopes(credential.scopes));
}

/// Removes what a client sent under keygate's names.
pub(crate) fn remove(headers: &mut HeaderMap) {
    let names: Vec<_> = spoofed(headers).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// What a client sent under keygate's names, also where it is spelt with underscores: there are
/// servers to which that is the same header.
pub(crate) fn spoofed(headers: &HeaderMap) -> impl Iterator<Item = &HeaderName> {
    headers.keys().filter(|name| is_ours(name.as_str()))
}

fn is_ours(name: &str) -> bool {
    const OURS: &[u8] = b"x-keygate-";
    name.len() >= OURS.len()
        && name
            .bytes()
            .zip(OURS)
            .all(|(byte, ours)| byte == *ours || (*ours == b'-' && matches!(byte, b'_' | b'.')))
}

fn value(id: impl std::fmt::Display) -> HeaderValue {
    HeaderValue::try_from(id.to_string()).expect("ids are header values")
}

/// There are few sets of scopes, and those that most keys have need no writing.
fn scopes(scopes: Scopes) -> HeaderValue {
    HeaderValue::try_from(scopes.to_string()).expect("scopes are header values")
}
