//! How programs call the API that is behind keygate, which is what keys are for.

use keygate_core::{Code, Scope, Scopes};
use keygate_http::status_of;

use super::{reference::Error, schema::Prose};
use crate::pages::keys::{Language, PLACEHOLDER, Snippet, base_url, languages, setups};

/// What is said of calls with a key.
pub(super) struct Calling {
    pub(super) base_url: String,
    pub(super) headers: [(&'static str, &'static str); 4],
    pub(super) languages: Vec<Language>,
    pub(super) setups: Vec<Snippet>,
    pub(super) errors: Vec<Error>,
}

/// Where a key may stand, and who sends it there.
const HEADERS: [(&str, &str); 4] = [
    ("Authorization: Bearer $KEY", "OpenAI's, and most others"),
    ("x-api-key: $KEY", "Anthropic's"),
    ("api-key: $KEY", "Azure's"),
    ("x-goog-api-key: $KEY", "Google's"),
];

/// What keygate itself answers to a call with a key, or without one.
const ERRORS: [(Code, &str); 15] = [
    (
        Code::InvalidRequest,
        "the path can be read in several ways, or a GET has a body",
    ),
    (
        Code::InvalidApiKey,
        "there is no key, it was sent in the wrong way, or it does not exist; `message` says which",
    ),
    (Code::ApiKeyRevoked, "the key is inactive"),
    (Code::ApiKeyExpired, "the key has expired"),
    (
        Code::InsufficientScope,
        "the key lacks the scope that `message` names",
    ),
    (
        Code::AccountSuspended,
        "the account that the key belongs to is suspended",
    ),
    (
        Code::NotFound,
        "the path lacks `/v1` or has it twice, or there is no such model",
    ),
    (
        Code::RequestTimeout,
        "the rest of the body did not arrive in time",
    ),
    (
        Code::RateLimitExceeded,
        "too many keys that do not exist were tried; `Retry-After` says when to try again",
    ),
    (Code::InternalError, "an error of keygate itself"),
    (
        Code::UpstreamUnreachable,
        "the API behind keygate cannot be reached",
    ),
    (
        Code::UpstreamRefusedCredential,
        "the API behind keygate refuses the operator's credential",
    ),
    (Code::Overloaded, "keygate is too busy"),
    (
        Code::StorageUnavailable,
        "the database is unavailable, so that the key cannot be checked",
    ),
    (
        Code::UpstreamTimeout,
        "the API behind keygate took too long; it may have acted",
    ),
];

impl Calling {
    /// For readers who know the service under this address.
    pub(super) fn at(origin: &str) -> Self {
        let scopes: Scopes = Scope::ALL.into_iter().collect();
        let error = |(code, when): (Code, &str)| Error {
            status: status_of(code).to_string(),
            code: code.as_str().to_owned(),
            when: Prose::from(when),
        };
        Self {
            base_url: base_url(origin),
            headers: HEADERS,
            languages: languages(scopes, PLACEHOLDER, origin),
            setups: setups(scopes, PLACEHOLDER, origin),
            errors: ERRORS.into_iter().map(error).collect(),
        }
    }
}
