//! Finds the key of a request, and refuses keys in places that are not meant for them.
//!
//! One list defines which headers are credentials. Finding the key and removing it before the request
//! goes to the upstream both use it.

use http::{
    HeaderName,
    header::{AUTHORIZATION, PROXY_AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL},
};
use keygate_core::{Denial, Misuse, key::KeyFormat};
use keygate_http::{Headers, is_spelling_of};
use memchr::{memchr, memmem};
use percent_encoding::percent_decode;

const PLACES: usize = 4;

/// The headers in which clients send a key: OpenAI's, Anthropic's, Azure's and Google's.
const CREDENTIAL_HEADERS: [HeaderName; PLACES] = [
    AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// What a subprotocol begins with that is a key, as `OpenAI`'s clients write it. Web pages can set no other header for a
/// WebSocket; it is accepted where [`Headers::begin_socket`] says so.
const KEY_PROTOCOL: &[u8] = b"openai-insecure-api-key.";

/// The subprotocols in a `Sec-WebSocket-Protocol` but for the one that is the key.
pub fn other_protocols(offered: &[u8]) -> Vec<u8> {
    let others: Vec<_> = protocols(offered)
        .filter(|protocol| key_of(protocol).is_none())
        .collect();
    others.join(&b", "[..])
}

fn protocols(offered: &[u8]) -> impl Iterator<Item = &[u8]> {
    offered.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

fn key_of(protocol: &[u8]) -> Option<&[u8]> {
    protocol.strip_prefix(KEY_PROTOCOL)
}

/// Whether a header, in any spelling that a server may take for the same, carries a credential that
/// is for keygate alone.
pub fn is_credential_header(name: &[u8]) -> bool {
    is_spelling_of(name, PROXY_AUTHORIZATION.as_str())
        || CREDENTIAL_HEADERS
            .iter()
            .any(|known| is_spelling_of(name, known.as_str()))
}

/// The headers that carry credentials, for proxies that are told which to remove.
pub fn credential_headers() -> impl Iterator<Item = HeaderName> {
    CREDENTIAL_HEADERS.into_iter().chain([PROXY_AUTHORIZATION])
}

/// The one key that a request presents: what has a key's prefix and length in one of the credential
/// headers. The same key in two of them counts once, an empty header counts as absent, and a value that
/// is no key, beside one that is, is ignored.
///
/// A request that sends a header twice, two different keys, or a key in another header or in its
/// target is refused.
pub(crate) fn presented_key<'a>(
    headers: &'a impl Headers,
    target: &str,
    format: &KeyFormat,
) -> Result<&'a str, Denial> {
    let mut presented = Presented::default();
    for (name, value) in headers.all() {
        if let Some(place) = place_of(name) {
            presented.add(place, value.trim_ascii(), format)?;
        } else if headers.begin_socket() && is_protocols(name) {
            let mut keys = protocols(value).filter_map(key_of);
            keys.try_for_each(|key| presented.add_protocol(key, format))?;
        }
    }
    if holds_key(target.as_bytes(), format) {
        return Err(Misuse::InAddress.into());
    }
    let key = presented.key(format)?;
    if stands_elsewhere(headers, format) {
        return Err(Misuse::InOtherHeader.into());
    }
    Ok(key)
}

fn is_protocols(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(SEC_WEBSOCKET_PROTOCOL.as_str().as_bytes())
}

fn place_of(name: &[u8]) -> Option<usize> {
    CREDENTIAL_HEADERS
        .iter()
        .position(|known| known.as_str().as_bytes().eq_ignore_ascii_case(name))
}

/// The contents of a request's credential headers.
#[derive(Default)]
struct Presented<'a> {
    values: [Option<&'a [u8]>; PLACES],
    /// What a subprotocol has in the place of a key.
    protocol: Option<&'a [u8]>,
    key: Option<&'a str>,
}

impl<'a> Presented<'a> {
    fn add(&mut self, place: usize, value: &'a [u8], format: &KeyFormat) -> Result<(), Denial> {
        if value.is_empty() {
            return Ok(());
        }
        if self.values[place].replace(value).is_some() {
            return Err(Misuse::HeaderTwice.into());
        }
        let text = std::str::from_utf8(value).ok();
        let token = if place == 0 {
            text.and_then(bearer_token)
        } else {
            text
        };
        self.note(token, format)
    }

    fn add_protocol(&mut self, value: &'a [u8], format: &KeyFormat) -> Result<(), Denial> {
        self.protocol = Some(value);
        self.note(std::str::from_utf8(value).ok(), format)
    }

    /// Notes what may be a key.
    fn note(&mut self, token: Option<&'a str>, format: &KeyFormat) -> Result<(), Denial> {
        if let Some(key) = token.filter(|token| format.resembles(token))
            && self.key.replace(key).is_some_and(|other| other != key)
        {
            return Err(Misuse::TwoKeys.into());
        }
        Ok(())
    }

    /// The key, or the reason why there is none.
    fn key(&self, format: &KeyFormat) -> Result<&'a str, Denial> {
        if let Some(key) = self.key {
            return Ok(key);
        }
        let Some(value) = self.values.iter().chain([&self.protocol]).flatten().next() else {
            return Err(Denial::Missing);
        };
        let text = String::from_utf8_lossy(value);
        if self.values[0].is_some() && !has_bearer_scheme(&text) {
            Err(Misuse::OtherScheme.into())
        } else if format.is_in(&text) {
            Err(Misuse::NotAlone.into())
        } else {
            Err(Denial::Invalid)
        }
    }
}

/// RFC 6750 section 2.1: the scheme in any case, then one space or more.
fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_start_matches(' '))
}

fn has_bearer_scheme(authorization: &str) -> bool {
    let scheme = authorization.split([' ', '\t']).next();
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"))
}

/// Whether another header than the credential headers contains a key, in its value or its name, where the
/// upstream might read it.
fn stands_elsewhere(headers: &impl Headers, format: &KeyFormat) -> bool {
    headers.all().any(|(name, value)| {
        if headers.begin_socket() && is_protocols(name) {
            return holds_key(&other_protocols(value), format);
        }
        place_of(name).is_none() && (holds_key(value, format) || holds_key(name, format))
    })
}

/// Whether a text contains a key, percent-encoded any number of times or not at all.
fn holds_key(text: &[u8], format: &KeyFormat) -> bool {
    let is_in = |text: &[u8]| {
        memmem::find(text, format.prefix().as_bytes()).is_some()
            && format.is_in(&String::from_utf8_lossy(text))
    };
    // Decoding makes it no longer, and most are shorter than a key.
    if text.len() < format.length() {
        return false;
    }
    let is_encoded = memchr(b'%', text).is_some();
    is_in(text)
        || is_encoded
            && (is_in(&percent_decode(text).collect::<Vec<u8>>())
                || is_in(&decoded_to_the_end(text)))
}

/// Decodes a text until nothing in it is percent-encoded. The time is linear in the text's length,
/// however many times it is encoded.
fn decoded_to_the_end(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    for byte in text {
        decoded.push(*byte);
        // What was encoded may be the end of what is encoded itself.
        while let [.., b'%', high, low] = decoded[..]
            && let Some((high, low)) = hexadecimal(high).zip(hexadecimal(low))
        {
            decoded.truncate(decoded.len() - 3);
            decoded.push(high << 4 | low);
        }
    }
    decoded
}

fn hexadecimal(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const KEY: &str = "ask_a1b2C3d4E5f6G7h8J9k0L1m2N30T4WGS";
    const OTHER: &str = "ask_000000000000000000000000002Th9kM";

    fn presented_in(headers: &[(&str, &[u8])], target: &str) -> Result<String, Denial> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            let value = HeaderValue::from_bytes(value).expect("a header value");
            map.append(name, value);
        }
        presented_key(&map, target, &KeyFormat::default()).map(str::to_owned)
    }

    fn presented(values: &[&[u8]], target: &str) -> Result<String, Denial> {
        let headers: Vec<_> = values
            .iter()
            .map(|value| ("authorization", *value))
            .collect();
        presented_in(&headers, target)
    }

    #[test]
    fn bearer_key_is_found() {
        for value in [
            format!("Bearer {KEY}"),
            format!("bearer {KEY}"),
            format!("BEARER {KEY}"),
            format!("Bearer   {KEY}"),
            format!("Bearer {KEY}  \t"),
        ] {
            let found = presented(&[value.as_bytes()], "/v1/models?limit=3&after=ask_x");
            assert_eq!(found, Ok(KEY.to_owned()), "{value}");
        }
    }

    #[test]
    fn every_credential_header_is_read_alone_empty_doubled_and_beside_others() {
        let bearer = format!("Bearer {KEY}");
        for name in CREDENTIAL_HEADERS {
            let name = name.as_str();
            let is_bearer = name == "authorization";
            let with = |key: &str| {
                if is_bearer {
                    format!("Bearer {key}")
                } else {
                    key.to_owned()
                }
            };
            let (mine, other) = (with(KEY), with(OTHER));
            let found = presented_in(&[(name, mine.as_bytes())], "/v1");
            assert_eq!(found, Ok(KEY.to_owned()), "{name} alone");
            assert_eq!(presented_in(&[(name, b"")], "/v1"), Err(Denial::Missing));
            let twice = [(name, mine.as_bytes()), (name, mine.as_bytes())];
            let refused = Err(Misuse::HeaderTwice.into());
            assert_eq!(presented_in(&twice, "/v1"), refused, "{name} twice");
            if is_bearer {
                continue;
            }
            for (beside, expected) in [
                ("", Ok(KEY.to_owned())),
                ("sk-ant-somebody-elses", Ok(KEY.to_owned())),
                (&mine, Ok(KEY.to_owned())),
                (&other, Err(Misuse::TwoKeys.into())),
            ] {
                let both = [
                    ("authorization", bearer.as_bytes()),
                    (name, beside.as_bytes()),
                ];
                let found = presented_in(&both, "/v1");
                assert_eq!(found, expected, "{name}: {beside:?} beside a good Bearer");
            }
            let foreign = [
                ("authorization", &b"Bearer sk-foreign"[..]),
                (name, mine.as_bytes()),
            ];
            assert_eq!(presented_in(&foreign, "/v1"), Ok(KEY.to_owned()), "{name}");
        }
    }

    #[test]
    fn nothing_at_all_is_missing() {
        assert_eq!(presented(&[], "/v1"), Err(Denial::Missing));
        assert_eq!(presented(&[b" "], "/v1"), Err(Denial::Missing));
    }

    #[test]
    fn what_is_wrong_with_the_request_is_said() {
        let cases = [
            ("Basic dXNlcjpwYXNz".to_owned(), Misuse::OtherScheme),
            (KEY.to_owned(), Misuse::OtherScheme),
            (format!("Bearer{KEY}"), Misuse::OtherScheme),
            (format!("Token {KEY}"), Misuse::OtherScheme),
            (format!("Bearer {KEY} {KEY}"), Misuse::NotAlone),
            (format!("Bearer \"{KEY}\""), Misuse::NotAlone),
            (format!("Bearer Bearer {KEY}"), Misuse::NotAlone),
            (format!("Bearer {KEY},Bearer {KEY}"), Misuse::NotAlone),
            (format!("Bearer\t{KEY}"), Misuse::NotAlone),
        ];
        for (value, misuse) in cases {
            let found = presented(&[value.as_bytes()], "/v1");
            assert_eq!(found, Err(misuse.into()), "{value:?}");
        }
        let found = presented_in(&[("x-api-key", format!("Bearer {KEY}").as_bytes())], "/v1");
        assert_eq!(found, Err(Misuse::NotAlone.into()));
    }

    #[test]
    fn everything_else_is_invalid() {
        let long = format!("Bearer {}", "a".repeat(8_192));
        for value in [
            "Bearer",
            &format!("Bearer {}0", KEY.replace("ask_", "ask_x")),
            &format!("Bearer key_{}", &KEY[4..]),
            "Bearer sk-somebody-elses",
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
                prop_assert!(found.is_err());
            }
        }
    }

    /// A text of which each character is percent-encoded, and so is what encodes it.
    fn twice(text: &str) -> String {
        let encoded = |text: String, byte| text + &format!("%25{byte:02x}");
        text.bytes().fold(String::new(), encoded)
    }

    #[test]
    fn what_is_encoded_many_times_is_decoded_in_one_go() {
        let deep = format!("/v1?x=%{}61{}", "25".repeat(1 << 20), &KEY[1..]);
        assert_eq!(presented(&[], &deep), Err(Misuse::InAddress.into()));
        assert_eq!(decoded_to_the_end(b"%2%35%4%%zz%4g%"), b"%%4%%zz%4g%");
    }

    #[test]
    fn key_in_the_address_is_refused() {
        let value = format!("Bearer {KEY}");
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
            format!("/v1?key={}", twice(KEY)),
            format!("/v1?key={}", twice(&twice(KEY))),
            format!("/v1?key=%4{KEY}"),
            format!("/v1?key=%254{KEY}"),
            format!("/v1?key=%%36%31{}", &KEY[1..]),
        ] {
            for values in [&[value.as_bytes()] as &[_], &[]] {
                let found = presented(values, &target);
                assert_eq!(found, Err(Misuse::InAddress.into()), "{target}");
            }
        }
    }

    #[test]
    fn key_in_another_header_is_refused() {
        let value = format!("Bearer {KEY}");
        for (name, elsewhere) in [
            ("x-key", KEY.to_owned()),
            ("x_api_key", KEY.to_owned()),
            ("cookie", format!("a=b; key={KEY}")),
            ("referer", format!("https://example.com/?key={KEY}#x")),
            ("proxy-authorization", value.clone()),
            ("x-note", OTHER.to_owned()),
            ("x-note", KEY.replace('_', "%5f")),
            ("x-original-uri", format!("/?key={}", twice(KEY))),
        ] {
            let headers = [
                ("authorization", value.as_bytes()),
                (name, elsewhere.as_bytes()),
            ];
            let found = presented_in(&headers, "/v1");
            assert_eq!(found, Err(Misuse::InOtherHeader.into()), "{name}");
        }
        let harmless = [
            ("authorization", value.as_bytes()),
            ("x-key", b"ask_000000000000000000000000002Th9kN"),
            (
                "user-agent",
                b"a client with quite a long name, version 1.2.3",
            ),
        ];
        assert_eq!(presented_in(&harmless, "/v1"), Ok(KEY.to_owned()));
    }

    #[test]
    fn key_in_the_name_of_a_header_is_refused() {
        struct Raw([(&'static str, String); 2]);
        impl Headers for Raw {
            fn all(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
                let headers = self.0.iter();
                headers.map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            }
            fn values<'a>(&'a self, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
                let name = name.as_str().as_bytes();
                let named = self.all().filter(move |(known, _)| *known == name);
                named.map(|(_, value)| value)
            }
        }
        let headers = Raw([
            ("authorization", format!("Bearer {KEY}")),
            (KEY, String::new()),
        ]);
        let found = presented_key(&headers, "/v1", &KeyFormat::default());
        assert_eq!(found, Err(Misuse::InOtherHeader.into()));
    }

    #[test]
    fn no_spelling_of_a_credential_header_passes() {
        for name in [
            "Authorization",
            "X_Api_Key",
            "api.key",
            "x-goog-api-key",
            "Proxy-Authorization",
        ] {
            assert!(is_credential_header(name.as_bytes()), "{name}");
        }
        for name in ["x-api-keys", "api", "x-request-id"] {
            assert!(!is_credential_header(name.as_bytes()), "{name}");
        }
    }
}
