use http::{
    HeaderMap, Request, Version,
    header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
};
use keygate_core::{Code, Problem};

/// Stands among the extensions of a request whose head said its length in two ways, where only one is shown.
#[derive(Debug, Clone, Copy)]
pub struct AmbiguousFraming;

/// Refuses what two servers may read as different requests: a length in two ways, a coding other
/// than `chunked`, a host that is not there or there twice (RFC 9112 sections 3.2 and 6.3).
pub fn refuse_ambiguous_framing<B>(request: &Request<B>) -> Result<(), Problem> {
    let headers = request.headers();
    if request.version() > Version::HTTP_11 {
        let lengths = headers.get_all(CONTENT_LENGTH).iter().count();
        return (lengths < 2).then_some(()).ok_or_else(ambiguous_framing);
    }
    let hosts = headers.get_all(HOST).iter().count();
    let host_is_clear = hosts == 1 || (hosts == 0 && request.version() == Version::HTTP_10);
    let was_clear = request.extensions().get::<AmbiguousFraming>().is_none();
    if host_is_clear && was_clear && length_is_clear(headers) {
        return Ok(());
    }
    Err(ambiguous_framing())
}

/// The refusal of such a request.
pub fn ambiguous_framing() -> Problem {
    Problem::new(
        Code::InvalidRequest,
        "The request's host or length is missing, repeated or contradictory.",
    )
}

fn length_is_clear(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => {
            coding.as_bytes().eq_ignore_ascii_case(b"chunked")
                && !headers.contains_key(CONTENT_LENGTH)
        }
        (Some(_), Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_clear(version: Version, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a request");
        refuse_ambiguous_framing(&request).is_ok()
    }

    #[test]
    fn one_host_and_one_length_are_clear() {
        let host = ("host", "x");
        for (headers, clear) in [
            (&[host] as &[_], true),
            (&[host, ("content-length", "1")], true),
            (&[host, ("transfer-encoding", "Chunked")], true),
            (&[], false),
            (&[host, host], false),
            (&[host, ("transfer-encoding", "gzip, chunked")], false),
            (
                &[
                    host,
                    ("transfer-encoding", "chunked"),
                    ("transfer-encoding", "chunked"),
                ],
                false,
            ),
            (
                &[
                    host,
                    ("transfer-encoding", "chunked"),
                    ("content-length", "1"),
                ],
                false,
            ),
        ] {
            assert_eq!(is_clear(Version::HTTP_11, headers), clear, "{headers:?}");
        }
        assert!(is_clear(Version::HTTP_10, &[]));
        assert!(is_clear(Version::HTTP_2, &[]));
        let length = ("content-length", "2");
        assert!(is_clear(Version::HTTP_2, &[length]));
        assert!(!is_clear(Version::HTTP_2, &[length, length]));
    }
}
