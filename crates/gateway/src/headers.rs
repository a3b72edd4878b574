//! Which headers are forwarded in either direction.

use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE},
};
use keygate_core::Credential;
use keygate_http::{Peer, X_REQUEST_ID, has_spelling_of, is_spelling_of, retain_headers};
use keygate_traces::is_trace_context;
use keygate_verify::is_credential_header;

use crate::{
    Upstream,
    forwarding::{self, is_forwarding},
    identity,
    websocket::remove_key,
};

/// RFC 9110 section 7.6.1, and what older proxies add to it.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
];

/// Headers that keygate consumes or rewrites; never forwarded as received.
const FOR_KEYGATE: [&str; 4] = ["cookie", "expect", "host", "x-request-id"];

/// Headers that make frameworks treat a request as another one than the one that was authorized.
const OVERRIDES: [&str; 5] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];

/// Response headers that do not reach the client. Only keygate may set cookies, because the upstream
/// shares its origin.
const NOT_FOR_CLIENT: [&str; 2] = ["set-cookie", "x-request-id"];

/// Whether a client's header is forwarded to the upstream. Names are compared without case.
pub(crate) fn is_for_upstream(name: &[u8]) -> bool {
    !is_any_of(&HOP_BY_HOP, name)
        && !is_any_of(&FOR_KEYGATE, name)
        && !is_credential_header(name)
        && !is_override(name)
        && !identity::is_identity_header(name)
        && !is_forwarding(name)
}

/// Whether a header makes frameworks treat a request as another one.
pub(crate) fn is_override(name: &[u8]) -> bool {
    OVERRIDES.iter().any(|known| is_spelling_of(name, known))
}

/// Whether an upstream's header is forwarded to the client.
pub(crate) fn is_for_client(name: &[u8]) -> bool {
    !is_any_of(&HOP_BY_HOP, name)
        && !is_any_of(&NOT_FOR_CLIENT, name)
        // keygate says who may read its answers.
        && !has_spelling_of(name, "access-control-")
        // Clients believe what stands under these names.
        && !identity::is_identity_header(name)
}

fn is_any_of(names: &[&str], name: &[u8]) -> bool {
    names
        .iter()
        .any(|known| known.as_bytes().eq_ignore_ascii_case(name))
}

/// Turns a client's headers into those for the upstream: removes those that are for keygate or for this
/// hop, and adds the identity of the key and the client's address.
pub(crate) fn for_upstream(
    headers: &mut HeaderMap,
    peer: Peer<'_>,
    received: Version,
    credential: &Credential,
    authorization: Option<&HeaderValue>,
) {
    let id = headers.get(X_REQUEST_ID).cloned();
    let mut way = HeaderMap::new();
    forwarding::write(headers, peer, received, |name, value| {
        // A value that came in a header, or an address.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            way.append(name, value);
        }
    });
    keep(headers, is_for_upstream);
    remove_key(headers);
    headers.extend(way);
    identity::insert(headers, credential);
    headers.extend(id.map(|id| (X_REQUEST_ID, id)));
    if let Some(authorization) = authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
}

/// Replaces the client's trace headers with those for the upstream.
pub(crate) fn of_trace(headers: &mut HeaderMap, told: HeaderMap) {
    keep(headers, |name| !is_trace_context(name));
    headers.extend(told);
}

/// Turns an upstream's headers into those for the client.
pub(crate) fn for_client(headers: &mut HeaderMap, upstream: &Upstream) {
    keep(headers, is_for_client);
    let content_type = headers.get(CONTENT_TYPE);
    if content_type.is_some_and(|content_type| is_stream(content_type.as_bytes())) {
        headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    }
    if let Some(label) = upstream.own_label() {
        headers.insert(X_KEYGATE_UPSTREAM, label.clone());
    }
    for (name, value) in headers.iter_mut() {
        if is_location(name.as_str().as_bytes())
            && let Some(own) = upstream.own_location(value.as_bytes())
        {
            *value = HeaderValue::from_str(&own).expect("it is a part of one");
        }
    }
}

/// What says how an answer is to be read, kept or followed, who may, and on which way it came, and is therefore for
/// heads alone (RFC 9110 section 6.5.1), besides all that begins with `content-`.
const FOR_HEADS: [&str; 14] = [
    "age",
    "alt-svc",
    "cache-control",
    "cookie",
    "date",
    "expires",
    "host",
    "location",
    "pragma",
    "retry-after",
    "strict-transport-security",
    "vary",
    "via",
    "www-authenticate",
];

/// Leaves of what follows an upstream's body what may stand there, and in its head, too.
pub(crate) fn trailers_for_client(trailers: &mut HeaderMap) {
    keep(trailers, |name| {
        is_for_client(name)
            && !is_any_of(&FOR_HEADS, name)
            && !is_credential_header(name)
            && !has_spelling_of(name, "content-")
            && !has_spelling_of(name, "x-accel-")
    });
}

/// The header that says which of several upstreams has answered: its path and number, like `/v1#2`.
pub const X_KEYGATE_UPSTREAM: HeaderName = HeaderName::from_static("x-keygate-upstream");

/// Tells proxies in front of keygate, nginx first of all, to pass an answer on as it comes.
pub(crate) const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Whether a `Content-Type` is that of a stream: events, or lines of JSON.
pub(crate) fn is_stream(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|byte| *byte == b';').next();
    let streams = [
        "text/event-stream",
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
    ];
    media_type.is_some_and(|media_type| is_any_of(&streams, media_type.trim_ascii()))
}

/// Whether a header contains a URL that may have to be rewritten.
pub(crate) fn is_location(name: &[u8]) -> bool {
    is_any_of(&["location", "content-location"], name)
}

/// Removes the headers that do not pass, and those that `Connection` says are for this hop.
fn keep(headers: &mut HeaderMap, passes: fn(&[u8]) -> bool) {
    let named = headers.get_all(CONNECTION).iter();
    let named = named.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let named = named.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok());
    for name in named.collect::<Vec<_>>() {
        headers.remove(name);
    }
    retain_headers(headers, passes);
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use keygate_core::{AccountId, KeyId, Scope};
    use keygate_http::TrustedProxies;

    use super::*;
    use crate::identity::{KEY_ID, SCOPES};

    fn headers(pairs: &[(&str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &'static str)| {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            (name, HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    fn stranger() -> Peer<'static> {
        static NOBODY: LazyLock<TrustedProxies> = LazyLock::new(TrustedProxies::default);
        Peer {
            address: [192, 0, 2, 7].into(),
            trusted_proxies: &NOBODY,
        }
    }

    fn credential() -> Credential {
        Credential {
            key_id: KeyId::from_bytes([1; 16]),
            account_id: AccountId::from_bytes([2; 16]),
            scopes: [Scope::Chat, Scope::Read].into_iter().collect(),
            expires_at: None,
            is_active: true,
            account_suspended: false,
        }
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn the_clients_credentials_stay_here_and_the_rest_passes() {
        let mut sent = headers(&[
            ("authorization", "Bearer ask_secret"),
            ("x-api-key", "ask_secret"),
            ("x_goog_api_key", "ask_secret"),
            ("x-http-method-override", "DELETE"),
            ("X_Rewrite_Url", "/admin"),
            ("x-forwarded-for", "203.0.113.66"),
            ("cookie", "keygate_session=secret"),
            ("host", "api.example.com"),
            ("connection", "keep-alive, X-Internal"),
            ("x-internal", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("content-type", "application/json"),
            ("x-stainless-lang", "python"),
        ]);
        for_upstream(&mut sent, stranger(), Version::HTTP_11, &credential(), None);
        assert_eq!(
            names(&sent),
            [
                "content-type",
                "forwarded",
                "via",
                "x-forwarded-for",
                "x-keygate-account-id",
                "x-keygate-key-id",
                "x-keygate-scopes",
                "x-stainless-lang",
            ]
        );
        assert_eq!(sent[SCOPES], "chat read");
        assert_eq!(sent["x-forwarded-for"], "192.0.2.7");
    }

    #[test]
    fn the_operators_credential_takes_the_keys_place() {
        let mut sent = headers(&[("authorization", "Bearer ask_secret")]);
        let ours = HeaderValue::from_static("Bearer upstream");
        for_upstream(
            &mut sent,
            stranger(),
            Version::HTTP_11,
            &credential(),
            Some(&ours),
        );
        assert_eq!(
            sent.get_all(AUTHORIZATION).iter().collect::<Vec<_>>(),
            [&ours]
        );
    }

    #[test]
    fn identity_has_one_true_value() {
        let mut sent = headers(&[
            ("x-keygate-key-id", "spoofed"),
            ("x_keygate_key_id", "spoofed"),
            ("x-keygate_scopes", "admin"),
            ("x.keygate.scopes", "admin"),
            ("x-keygate-anything", "spoofed"),
            ("connection", "x-keygate-key-id, x-keygate-scopes"),
        ]);
        for_upstream(&mut sent, stranger(), Version::HTTP_11, &credential(), None);
        assert_eq!(
            names(&sent),
            [
                "forwarded",
                "via",
                "x-forwarded-for",
                "x-keygate-account-id",
                "x-keygate-key-id",
                "x-keygate-scopes"
            ]
        );
        assert_eq!(sent[KEY_ID], credential().key_id.to_string());
    }

    #[test]
    fn an_upstream_sets_no_cookies_here() {
        let mut answer = headers(&[
            ("set-cookie", "keygate_session=planted"),
            ("x-keygate-stale", "7"),
            ("access-control-allow-origin", "*"),
            ("transfer-encoding", "chunked"),
            ("content-type", "text/event-stream"),
        ]);
        keep(&mut answer, is_for_client);
        assert_eq!(names(&answer), ["content-type"]);
    }
}
