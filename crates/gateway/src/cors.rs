//! Which web pages may use the API from a browser (the Fetch standard, section 3.3).

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
        ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};
use keygate_http::Headers;

/// The pages that may use the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// Those of every origin.
    Any,
    /// Those of one origin, as browsers write it: scheme, host, and the port if it is not the usual one.
    One(HeaderValue),
}

/// Answers browsers that ask on behalf of pages of other origins. Credentials of the browser's own, such as cookies,
/// are never allowed.
#[derive(Debug, Default)]
pub struct Cors(Vec<AllowedOrigin>);

/// The methods that are forwarded.
pub(crate) const ALLOWED_METHODS: HeaderValue =
    HeaderValue::from_static("GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS");
/// How long a browser may keep the answer to a preflight.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
/// Without credentials it stands for all headers.
const ALL: HeaderValue = HeaderValue::from_static("*");
/// Caches must not give the answer for one origin to another.
const BY_ORIGIN: HeaderValue = HeaderValue::from_static("origin");

impl Cors {
    /// Allows the pages of these origins.
    pub fn new(allowed: Vec<AllowedOrigin>) -> Self {
        Self(allowed)
    }

    /// The headers of any answer to a request with these, that say whether the page may read it.
    pub(crate) fn headers(&self, request: &impl Headers) -> Vec<(HeaderName, HeaderValue)> {
        let Self(allowed) = self;
        if allowed.is_empty() {
            return Vec::new();
        }
        let Some(origin) = self.allowed_origin(request) else {
            return vec![(VARY, BY_ORIGIN)];
        };
        let exposed = (ACCESS_CONTROL_EXPOSE_HEADERS, ALL);
        let mut headers = vec![(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()), exposed];
        if origin != ALL {
            headers.push((VARY, BY_ORIGIN));
        }
        headers
    }

    /// The answer to a preflight, which browsers send without a key before a request that a page could not make by
    /// itself.
    pub(crate) fn preflight(
        &self,
        method: &Method,
        request: &impl Headers,
    ) -> Option<Response<Bytes>> {
        if self.0.is_empty() || *method != Method::OPTIONS {
            return None;
        }
        request.values(&ACCESS_CONTROL_REQUEST_METHOD).next()?;
        self.allowed_origin(request)?;
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        let headers = answer.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS);
        headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        allow_headers(headers, request);
        Some(answer)
    }

    fn allowed_origin(&self, request: &impl Headers) -> Option<HeaderValue> {
        let mut sent = request.values(&ORIGIN);
        let (Some(origin), None) = (sent.next(), sent.next()) else {
            return None;
        };
        self.0.iter().find_map(|allowed| match allowed {
            AllowedOrigin::Any => Some(ALL),
            AllowedOrigin::One(one) => (one.as_bytes() == origin).then(|| one.clone()),
        })
    }
}

/// Allows the headers that are asked for: `*` would leave out `Authorization`.
fn allow_headers(headers: &mut HeaderMap, request: &impl Headers) {
    let asked: Vec<&[u8]> = request.values(&ACCESS_CONTROL_REQUEST_HEADERS).collect();
    if let Ok(asked) = HeaderValue::from_bytes(&asked.join(&b", "[..]))
        && !asked.is_empty()
    {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "https://app.example.com";

    fn cors(allowed: &[&'static str]) -> Cors {
        let allowed = allowed.iter().map(|origin| match *origin {
            "*" => AllowedOrigin::Any,
            one => AllowedOrigin::One(HeaderValue::from_static(one)),
        });
        Cors::new(allowed.collect())
    }

    fn sent(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        pairs.collect()
    }

    #[test]
    fn only_pages_of_allowed_origins_may_read_answers() {
        for (allowed, origin, expected) in [
            (&[] as &[_], APP, None),
            (&[APP], APP, Some(APP)),
            (&[APP], "https://evil.example", None),
            (&[APP], "null", None),
            (&[APP], "https://app.example.com.evil.example", None),
            (&["*"], APP, Some("*")),
            (&["*"], "null", Some("*")),
        ] {
            let headers = cors(allowed).headers(&sent(&[("origin", origin)]));
            let headers: HeaderMap = headers.into_iter().collect();
            let origin = headers.get(ACCESS_CONTROL_ALLOW_ORIGIN);
            let origin = origin.map(|origin| origin.to_str().expect("it is text"));
            assert_eq!(origin, expected, "{allowed:?}");
            let depends = allowed.contains(&APP);
            assert_eq!(headers.contains_key(VARY), depends, "{allowed:?}");
        }
    }

    #[test]
    fn preflights_are_answered_with_what_they_ask_for() {
        let asked = [
            ("origin", APP),
            ("access-control-request-method", "POST"),
            (
                "access-control-request-headers",
                "authorization,x-stainless-os",
            ),
        ];
        let allowed = cors(&[APP]);
        let answer = allowed.preflight(&Method::OPTIONS, &sent(&asked));
        let answer = answer.expect("a preflight");
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        let headers = answer.headers();
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_HEADERS], asked[2].1);
        assert_eq!(headers[ACCESS_CONTROL_MAX_AGE], "600");
        assert!(!headers.contains_key("access-control-allow-credentials"));
        assert!(allowed.preflight(&Method::POST, &sent(&asked)).is_none());
        assert!(
            allowed
                .preflight(&Method::OPTIONS, &sent(&asked[..1]))
                .is_none()
        );
        assert!(
            allowed
                .preflight(&Method::OPTIONS, &sent(&asked[1..]))
                .is_none()
        );
        assert!(
            cors(&[])
                .preflight(&Method::OPTIONS, &sent(&asked))
                .is_none()
        );
    }
}
