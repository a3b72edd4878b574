//! The head of a request, read in place.

use std::{mem::MaybeUninit, ops::Range};

use http::HeaderName;
use httparse::Status;
use keygate_http::Headers;

use crate::{forward_auth::is_forward_auth, framing::parse_length, path::path_of};

/// How long a head may be; a longer one is not for the express lane.
const MAX_HEAD: usize = 16 * 1024;
/// How long a request may be, body included.
pub(super) const MAX_REQUEST: usize = 64 * 1024;
const MAX_HEADERS: usize = 64;

/// Where the parts of a request are in the buffer that it was read into. The request is all there,
/// and there is only one way to read it.
#[derive(Default)]
pub(super) struct Head {
    method: Range<usize>,
    target: Range<usize>,
    headers: Vec<Header>,
    /// Where the body begins.
    body: usize,
    /// How many bytes head and body have.
    length: usize,
}

struct Header {
    name: Range<usize>,
    value: Range<usize>,
}

/// What the bytes so far are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// A request.
    Complete,
    /// A part of its head.
    PartialHead,
    /// Its head and a part of its body.
    PartialBody,
    /// The head of a proxy's question, and not the body that it speaks of. Proxies send the original
    /// length, and keep the body.
    WithoutBody,
    /// Something that the express lane does not serve, or that is no HTTP.
    Unusual,
    /// A request whose length is said in two ways.
    Ambiguous,
}

impl Head {
    /// Reads the request at the beginning of `buffer`. Anything but HTTP/1.1 with one host, a length
    /// said in one way and a connection that stays open is unusual.
    pub(super) fn read(&mut self, buffer: &[u8]) -> Progress {
        let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut []);
        let parsed = request.parse_with_uninit_headers(buffer, &mut headers);
        let head_length = match parsed {
            Ok(Status::Complete(length)) => length,
            Ok(Status::Partial) if buffer.len() < MAX_HEAD => return Progress::PartialHead,
            Ok(Status::Partial) | Err(_) => return Progress::Unusual,
        };
        let (Some(1), Some(method), Some(target)) = (request.version, request.method, request.path)
        else {
            return Progress::Unusual;
        };
        let body_length = match plain_body_length(request.headers) {
            Ok(length) => length,
            Err(progress) => return progress,
        };
        let length = head_length.saturating_add(body_length);
        if !is_plain_target(target) || length > MAX_REQUEST {
            return Progress::Unusual;
        }
        let is_whole = buffer.len() >= length;
        if !is_whole && !is_forward_auth(path_of(target)) {
            return Progress::PartialBody;
        }
        let place = |part: &[u8]| {
            let start = part.as_ptr().addr() - buffer.as_ptr().addr();
            start..start + part.len()
        };
        self.method = place(method.as_bytes());
        self.target = place(target.as_bytes());
        self.headers.clear();
        self.headers
            .extend(request.headers.iter().map(|header| Header {
                name: place(header.name.as_bytes()),
                value: place(header.value),
            }));
        self.body = head_length;
        self.length = length.min(buffer.len());
        if is_whole {
            Progress::Complete
        } else {
            Progress::WithoutBody
        }
    }

    /// How many bytes the request has, body included.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// The request in the buffer that was read.
    pub(super) fn of<'a>(&'a self, buffer: &'a [u8]) -> Request<'a> {
        Request { head: self, buffer }
    }
}

/// Whether a target is a path with or without a query, in the characters that RFC 3986 section 3.3
/// has for them. Others are not read alike everywhere.
fn is_plain_target(target: &str) -> bool {
    target.starts_with('/')
        && target
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/?".contains(&byte))
}

/// How many bytes of body follow, if headers say so in one way and ask for nothing special.
fn plain_body_length(headers: &[httparse::Header<'_>]) -> Result<usize, Progress> {
    let (mut hosts, mut length, mut is_unusual, mut has_coding) = (0, None, false, false);
    for header in headers {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("host") {
            hosts += 1;
        } else if is("content-length") {
            is_unusual |= length.replace(header.value).is_some();
        } else if is("connection") {
            is_unusual |= !header.value.eq_ignore_ascii_case(b"keep-alive");
        } else if is("transfer-encoding") {
            has_coding = true;
        } else if is("expect") || is("upgrade") || is("sec-websocket-protocol") {
            is_unusual = true;
        }
    }
    if has_coding && length.is_some() {
        return Err(Progress::Ambiguous);
    }
    if has_coding || is_unusual || hosts != 1 {
        return Err(Progress::Unusual);
    }
    length.map_or(Ok(0), |value| parse_length(value).ok_or(Progress::Unusual))
}

/// A request where it was read.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    head: &'a Head,
    buffer: &'a [u8],
}

impl<'a> Request<'a> {
    pub(super) fn method(&self) -> &'a [u8] {
        &self.buffer[self.head.method.clone()]
    }

    /// Path and query.
    pub(super) fn target(&self) -> Option<&'a str> {
        std::str::from_utf8(&self.buffer[self.head.target.clone()]).ok()
    }

    /// Names as they were sent, and values.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let buffer = self.buffer;
        let header = move |header: &Header| {
            let name = &buffer[header.name.clone()];
            (name, &buffer[header.value.clone()])
        };
        self.head.headers.iter().map(header)
    }

    pub(super) fn body(&self) -> &'a [u8] {
        &self.buffer[self.head.body..self.head.length]
    }
}

impl Headers for Request<'_> {
    fn all(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers()
    }

    fn values<'a>(&'a self, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
        let is_meant = move |sent: &[u8]| sent.eq_ignore_ascii_case(name.as_str().as_bytes());
        let headers = self.headers().filter(move |(sent, _)| is_meant(sent));
        headers.map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Progress {
        Head::default().read(text.as_bytes())
    }

    fn with_headers(headers: &str) -> String {
        format!("POST /v1/chat/completions?a=b HTTP/1.1\r\n{headers}\r\n")
    }

    #[test]
    fn the_parts_are_found_and_what_follows_is_left() {
        let text = with_headers("Host: x\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n");
        let text = format!("{text}helloGET /");
        let mut head = Head::default();
        assert_eq!(head.read(text.as_bytes()), Progress::Complete);
        let request = head.of(text.as_bytes());
        assert_eq!(request.method(), b"POST");
        assert_eq!(request.target(), Some("/v1/chat/completions?a=b"));
        let name = HeaderName::from_static("x-a");
        let values: Vec<_> = request.values(&name).collect();
        assert_eq!(values, [b"1", b"2"]);
        assert_eq!(request.body(), b"hello");
        assert_eq!(head.length(), text.len() - "GET /".len());
    }

    #[test]
    fn a_request_is_waited_for_until_its_last_byte() {
        let head = with_headers("Host: x\r\nContent-Length: 5\r\n");
        let text = head.clone() + "hello";
        for end in 0..head.len() {
            assert_eq!(read(&text[..end]), Progress::PartialHead, "{end}");
        }
        for end in head.len()..text.len() {
            assert_eq!(read(&text[..end]), Progress::PartialBody, "{end}");
        }
        assert_eq!(read(&text), Progress::Complete);
    }

    #[test]
    fn proxys_question_is_read_without_the_body_that_it_speaks_of() {
        let text = "GET /verify?x HTTP/1.1\r\nHost: x\r\nContent-Length: 77\r\n\r\n{";
        let mut head = Head::default();
        assert_eq!(head.read(text.as_bytes()), Progress::WithoutBody);
        let request = head.of(text.as_bytes());
        assert_eq!(request.target(), Some("/verify?x"));
        assert_eq!(request.body(), b"{");
        assert_eq!(head.length(), text.len());
    }

    #[test]
    fn a_length_in_two_ways_is_refused() {
        for headers in [
            "Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nHost: x\r\ncontent-length: 5\r\n",
        ] {
            assert_eq!(
                read(&with_headers(headers)),
                Progress::Ambiguous,
                "{headers}"
            );
        }
    }

    #[test]
    fn what_has_more_than_one_reading_is_left_to_others() {
        for headers in [
            "",
            "Host: x\r\nHost: x\r\n",
            "Host: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n",
            "Host: x\r\nContent-Length: +5\r\n",
            "Host: x\r\nContent-Length: 5, 5\r\n",
            "Host: x\r\nContent-Length: 0x5\r\n",
            "Host: x\r\nContent-Length:\r\n",
            "Host: x\r\nContent-Length: 99999999999999999999\r\n",
            "Host: x\r\nContent-Length: 65536\r\n",
            "Host: x\r\nTransfer-Encoding: chunked\r\n",
            "Host: x\r\nTransfer-Encoding : chunked\r\n",
            "Host: x\r\nExpect: 100-continue\r\n",
            "Host: x\r\nUpgrade: websocket\r\n",
            "Host: x\r\nConnection: close\r\n",
            "Host: x\r\nConnection: X-Internal\r\n",
            "Host: x\r\n folded: y\r\n",
            "Host: x\r\nX-\x01: y\r\n",
        ] {
            assert_eq!(read(&with_headers(headers)), Progress::Unusual, "{headers}");
        }
        for text in [
            "GET /v1 HTTP/1.0\r\nHost: x\r\n\r\n",
            "GET /v1#/x HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /v1?<x> HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET http://x/v1 HTTP/1.1\r\nHost: x\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "\x16\x03\x01\x02\x00\x01",
        ] {
            assert_eq!(read(text), Progress::Unusual, "{text}");
        }
        let long = with_headers(&format!("Host: x\r\nX: {}\r\n", "y".repeat(MAX_HEAD)));
        assert_eq!(read(&long[..MAX_HEAD]), Progress::Unusual);
        let many = "X: y\r\n".repeat(MAX_HEADERS);
        assert_eq!(
            read(&with_headers(&format!("Host: x\r\n{many}"))),
            Progress::Unusual
        );
    }
}
