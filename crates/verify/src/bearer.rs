use http::{HeaderName, header::AUTHORIZATION};
use keygate_core::{Denial, key::KeyFormat};
use keygate_http::Headers;
use percent_encoding::percent_decode_str;

/// Where other services take their keys. One of these beside `Authorization` is a second
/// credential, and nobody could say which of the two was meant.
const OTHER_CREDENTIALS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    http::header::PROXY_AUTHORIZATION,
];

/// What a request presents that has a key's prefix and length, as RFC 6750 section 2.1 has it: in one
/// `Authorization` header, the scheme in any case, then one space or more.
///
/// A request with a second credential is refused, also where that is a key anywhere in its target.
pub(crate) fn presented_key<'a>(
    headers: &'a impl Headers,
    target: &str,
    format: &KeyFormat,
) -> Result<&'a str, Denial> {
    let name = AUTHORIZATION;
    let mut authorizations = headers.values(&name);
    let authorization = authorizations.next().ok_or(Denial::Missing)?;
    let another = authorizations.next().is_some()
        || OTHER_CREDENTIALS.iter().any(|name| headers.has(name))
        || holds_key(target, format);
    if another {
        return Err(Denial::Invalid);
    }
    let authorization = std::str::from_utf8(authorization).ok();
    let token = authorization.and_then(bearer_token);
    token
        .filter(|token| format.resembles(token))
        .ok_or(Denial::Invalid)
}

fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_start_matches(' '))
}

/// Whether a key stands anywhere in a request's target, percent-encoded or not.
fn holds_key(target: &str, format: &KeyFormat) -> bool {
    // Decoding makes it no longer, and most targets are shorter than a key.
    target.len() >= format.length() && format.is_in(&percent_decode_str(target).decode_utf8_lossy())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const KEY: &str = "ask_a1b2C3d4E5f6G7h8J9k0L1m2N30T4WGS";

    fn presented(values: &[&[u8]], target: &str) -> Result<String, Denial> {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value).expect("a header value");
            headers.append(AUTHORIZATION, value);
        }
        presented_key(&headers, target, &KeyFormat::default()).map(str::to_owned)
    }

    #[test]
    fn a_bearer_key_is_found() {
        for value in [
            format!("Bearer {KEY}"),
            format!("bearer {KEY}"),
            format!("BEARER {KEY}"),
            format!("Bearer   {KEY}"),
        ] {
            let found = presented(&[value.as_bytes()], "/v1/models?limit=3&after=ask_x");
            assert_eq!(found, Ok(KEY.to_owned()), "{value}");
        }
    }

    #[test]
    fn nothing_at_all_is_missing() {
        assert_eq!(presented(&[], "/v1"), Err(Denial::Missing));
        let target = format!("/v1?api_key={KEY}");
        assert_eq!(presented(&[], &target), Err(Denial::Missing));
    }

    #[test]
    fn everything_else_is_invalid() {
        let long = format!("Bearer {}", "a".repeat(8_192));
        for value in [
            "",
            "Bearer",
            "Bearer ",
            "Basic dXNlcjpwYXNz",
            &format!("Bearer\t{KEY}"),
            &format!("Bearer{KEY}"),
            KEY,
            &format!("Bearer {KEY} "),
            &format!("Bearer {KEY},Bearer {KEY}"),
            &format!("Bearer {KEY} {KEY}"),
            &format!("Bearer \"{KEY}\""),
            &format!("Token {KEY}"),
            &format!("Bearer {KEY}0"),
            &format!("Bearer key_{}", &KEY[4..]),
            &long,
        ] {
            let found = presented(&[value.as_bytes()], "/v1");
            assert_eq!(found, Err(Denial::Invalid), "{value:?}");
        }
        let bytes = [b"Bearer ask_\xff\xfe".as_slice()];
        assert_eq!(presented(&bytes, "/v1"), Err(Denial::Invalid));
    }

    proptest! {
        /// Whatever comes, only what resembles a key is let through, and nothing panics.
        #[test]
        fn any_bytes_are_judged(value in vec(any::<u8>(), 0..200), target in "/[ -~]*") {
            if let Ok(header) = HeaderValue::from_bytes(&value) {
                let headers = HeaderMap::from_iter([(AUTHORIZATION, header)]);
                let found = presented_key(&headers, &target, &KeyFormat::default());
                prop_assert_eq!(found, Err(Denial::Invalid));
            }
        }
    }

    #[test]
    fn two_credentials_are_invalid() {
        let value = format!("Bearer {KEY}");
        let twice = [value.as_bytes(), value.as_bytes()];
        assert_eq!(presented(&twice, "/v1"), Err(Denial::Invalid));
        let encoded = KEY.replace('_', "%5F");
        for target in [
            format!("/v1?key={KEY}"),
            format!("/v1?a=b&access_token={encoded}"),
            format!("/v1?{KEY}"),
            format!("/v1?{KEY}=1"),
            format!("/v1?a=b;key={KEY}"),
            format!("/v1?x=y={KEY}"),
            format!("/v1?key=%22{KEY}%22"),
            format!("/v1?authorization=Bearer%20{KEY}"),
            format!("/v1?a=ask_{KEY}"),
            format!("/v1/files/{KEY}"),
            format!("/v1/files/%61{}", &KEY[1..]),
        ] {
            let found = presented(&[value.as_bytes()], &target);
            assert_eq!(found, Err(Denial::Invalid), "{target}");
        }
        for name in OTHER_CREDENTIALS {
            let mut headers = HeaderMap::new();
            let header = HeaderValue::from_str(&value).expect("a header value");
            headers.insert(AUTHORIZATION, header.clone());
            headers.insert(name, header);
            let found = presented_key(&headers, "/v1", &KeyFormat::default());
            assert_eq!(found, Err(Denial::Invalid));
        }
    }
}
