//! The head of an upstream's answer.

use std::{mem::MaybeUninit, time::Duration};

use http::{StatusCode, header::TRANSFER_ENCODING};
use httparse::Status;

use super::{
    chunked::{Chunked, Piece},
    outbox::Outbox,
};
use crate::{
    Upstream,
    framing::{Length, MAX_READ, Malformed, check_size},
    headers::{self, X_ACCEL_BUFFERING, X_KEYGATE_UPSTREAM},
    pool::announced,
};

const MAX_HEADERS: usize = 100;

/// Where the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// Where its chunks end.
    Chunked(Chunked),
    /// Where the connection does.
    UntilClose,
}

/// The part of a response's head that concerns this hop.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) framing: Framing,
    pub(super) has_date: bool,
    /// How many bytes the head has.
    pub(super) head_length: usize,
    /// Whether the connection can take another request afterwards.
    pub(super) is_reusable: bool,
    /// How long the upstream says that it keeps the connection.
    pub(super) announced: Option<Duration>,
}

impl Answer {
    /// Whether these bytes have all of the body.
    pub(super) fn is_over_after(&self, bytes: &[u8]) -> Result<bool, Malformed> {
        let mut framing = self.framing;
        framing.follow(bytes)?;
        Ok(framing.is_over())
    }
}

/// Reads the head of an answer, of which it writes to the outbox what passes. `None` is one that is
/// not all there.
pub(super) fn read(
    buffer: &[u8],
    outbox: &mut Outbox,
    upstream: &Upstream,
) -> Result<Option<Answer>, Malformed> {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        buffer,
        &mut headers,
    );
    let head_length = match parsed {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if buffer.len() < MAX_READ => return Ok(None),
        Ok(Status::Partial) | Err(_) => return Err(Malformed),
    };
    let code = response.code.ok_or(Malformed)?;
    let status = StatusCode::from_u16(code).map_err(|_| Malformed)?;
    let fields = response.headers.iter();
    check_size(fields.map(|header| (header.name, header.value)))?;
    let hop = Hop::read(response.headers)?;
    let length = hop.length.check(status)?;
    outbox.status_line(status);
    let mut has_date = false;
    let is_stream = response.headers.iter().any(|header| {
        header.name.eq_ignore_ascii_case("content-type") && headers::is_stream(header.value)
    });
    if is_stream {
        outbox.header(&X_ACCEL_BUFFERING, b"no");
    }
    if let Some(label) = upstream.own_label() {
        outbox.header(&X_KEYGATE_UPSTREAM, label.as_bytes());
    }
    for header in response.headers.iter() {
        let name = header.name.as_bytes();
        has_date |= name.eq_ignore_ascii_case(b"date");
        let is_written = name.eq_ignore_ascii_case(b"content-length")
            || is_stream && name.eq_ignore_ascii_case(X_ACCEL_BUFFERING.as_str().as_bytes());
        if headers::is_for_client(name) && !hop.names(header.name) && !is_written {
            let own = headers::is_location(name).then(|| upstream.own_location(header.value));
            let own = own.flatten();
            let value = own.as_deref().map_or(header.value, str::as_bytes);
            outbox.raw_header(name, value);
        }
    }
    let is_11 = response.version == Some(1);
    let framing = body_end(length, status, outbox.is_head(), is_11)?;
    // The HTTP library says no length of what is not sent, but to HEAD.
    let says_length = match status {
        StatusCode::NO_CONTENT => false,
        StatusCode::NOT_MODIFIED => outbox.is_head(),
        _ => true,
    };
    match length.bytes {
        Some(length) if says_length => outbox.length(length),
        // A chunked body passes with its chunks, one that ends with the connection gets its own.
        _ if framing != Framing::Length(0) => outbox.header(&TRANSFER_ENCODING, b"chunked"),
        _ => {}
    }
    Ok(Some(Answer {
        status,
        framing,
        has_date,
        head_length,
        // After HEAD some servers send a body all the same.
        is_reusable: is_11 && !hop.closes && !outbox.is_head() && framing != Framing::UntilClose,
        announced: hop.announced,
    }))
}

/// What a response's headers say about the connection.
#[derive(Default)]
struct Hop<'a> {
    length: Length,
    closes: bool,
    announced: Option<Duration>,
    /// What `Connection` lists.
    connection: Vec<&'a [u8]>,
}

impl<'a> Hop<'a> {
    fn read(headers: &[httparse::Header<'a>]) -> Result<Self, Malformed> {
        let mut hop = Self::default();
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                hop.length.note_length(header.value)?;
            } else if is("transfer-encoding") {
                hop.length.note_coding(header.value)?;
            } else if is("keep-alive") {
                hop.announced = announced(header.value);
            } else if is("connection") {
                let names = header.value.split(|byte| *byte == b',');
                hop.connection.extend(names.map(<[u8]>::trim_ascii));
            }
        }
        hop.closes = hop
            .connection
            .iter()
            .any(|name| name.eq_ignore_ascii_case(b"close"));
        Ok(hop)
    }

    /// Whether `Connection` says that a header is for this hop.
    fn names(&self, header: &str) -> bool {
        let mut names = self.connection.iter();
        names.any(|name| name.eq_ignore_ascii_case(header.as_bytes()))
    }
}

/// Where the body of an answer ends (RFC 9112 section 6.3).
fn body_end(
    length: Length,
    status: StatusCode,
    is_head: bool,
    is_11: bool,
) -> Result<Framing, Malformed> {
    let has_no_body = is_head
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    match (length.bytes, length.is_chunked) {
        (_, true) if !is_11 => Err(Malformed),
        _ if has_no_body => Ok(Framing::Length(0)),
        (_, true) => Ok(Framing::Chunked(Chunked::new())),
        (Some(length), false) => Ok(Framing::Length(length)),
        (None, false) => Ok(Framing::UntilClose),
    }
}

impl Framing {
    /// Which of these bytes belong to the body.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<Piece, Malformed> {
        match self {
            Self::Length(left) => {
                let passed = (bytes.len() as u64).min(*left);
                *left -= passed;
                // No more than there are bytes.
                usize::try_from(passed)
                    .map(Piece::whole)
                    .map_err(|_| Malformed)
            }
            Self::Chunked(body) => body.follow(bytes),
            Self::UntilClose => Ok(Piece::whole(bytes.len())),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(body) => body.is_done(),
            Self::UntilClose => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use keygate_core::SystemClock;

    use super::*;
    use crate::{framing::MAX_HEAD, upstream::tests::upstream};

    fn read_all(text: &str, is_head: bool) -> Result<(Option<Answer>, String), Malformed> {
        let (_sender, draining) = tokio::sync::watch::channel(());
        let mut outbox = Outbox::new(Arc::new(SystemClock), draining);
        outbox.begin(is_head);
        let upstream = upstream("/v1", "http://host").expect("valid");
        let answer = read(text.as_bytes(), &mut outbox, &upstream)?;
        let passed = String::from_utf8_lossy(outbox.bytes()).into_owned();
        Ok((answer, passed))
    }

    fn framing(head: &str, is_head: bool) -> Result<(Framing, bool), Malformed> {
        let (answer, _) = read_all(&format!("{head}\r\n\r\n"), is_head)?;
        let answer = answer.expect("a whole head");
        Ok((answer.framing, answer.is_reusable))
    }

    #[test]
    fn the_body_ends_where_the_standard_says() {
        let chunked = Framing::Chunked(Chunked::new());
        for (head, expected) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3",
                (Framing::Length(3), true),
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3",
                (Framing::Length(3), true),
            ),
            (
                "HTTP/1.1 200\r\ntransfer-encoding: Chunked",
                (chunked, true),
            ),
            ("HTTP/1.1 200 OK", (Framing::UntilClose, false)),
            ("HTTP/1.1 204 No Content", (Framing::Length(0), true)),
            (
                "HTTP/1.1 304 Not Modified\r\nContent-Length: 3",
                (Framing::Length(0), true),
            ),
            ("HTTP/1.1 100 Continue", (Framing::Length(0), true)),
            (
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3",
                (Framing::Length(3), false),
            ),
            (
                "HTTP/1.0 200 OK\r\nContent-Length: 3",
                (Framing::Length(3), false),
            ),
        ] {
            assert_eq!(framing(head, false), Ok(expected), "{head}");
        }
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 3";
        assert_eq!(framing(head, true), Ok((Framing::Length(0), false)));
    }

    #[test]
    fn what_has_two_ends_is_refused() {
        for head in [
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4",
            "HTTP/1.1 200 OK\r\nContent-Length: 3, 3",
            "HTTP/1.1 200 OK\r\nContent-Length: -1",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked",
            "HTTP/1.1 101 Switching Protocols",
            "HTTP/1.1 99 Strange",
            "HTTP/2 200 OK",
            "SSH-2.0-OpenSSH",
        ] {
            assert_eq!(framing(head, false), Err(Malformed), "{head}");
        }
    }

    #[test]
    fn what_is_for_this_hop_does_not_pass() {
        let text = "HTTP/1.1 200 Whatever\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\n\
                    Set-Cookie: a=b\r\nX-Request-Id: theirs\r\nTransfer-Encoding: CHUNKED\r\n\
                    Location: http://host/v1/x\r\n\r\n";
        let (_, passed) = read_all(text, false).expect("an answer");
        let expected =
            "HTTP/1.1 200 OK\r\nX-End: 2\r\nLocation: /v1/x\r\ntransfer-encoding: chunked\r\n";
        assert_eq!(passed, expected);
    }

    #[test]
    fn the_length_is_said_once_whatever_the_upstream_says_of_it() {
        for (head, expected) in [
            (
                "200 OK\r\nConnection: content-length\r\nContent-Length: 5",
                "content-length: 5\r\n",
            ),
            (
                "200 OK\r\nContent-Length: 5\r\nContent-Length: 05",
                "content-length: 5\r\n",
            ),
            ("200 OK", "transfer-encoding: chunked\r\n"),
            ("204 No Content\r\nContent-Length: 5", ""),
            ("204 No Content\r\nTransfer-Encoding: chunked", ""),
            ("304 Not Modified\r\nTransfer-Encoding: chunked", ""),
            ("304 Not Modified\r\nContent-Length: 5", ""),
        ] {
            let text = format!("HTTP/1.1 {head}\r\n\r\n");
            let (_, passed) = read_all(&text, false).expect("an answer");
            let (_, headers) = passed.split_once("\r\n").expect("a status line");
            assert_eq!(headers, expected, "{head}");
        }
    }

    #[test]
    fn a_head_that_is_not_all_there_is_waited_for() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        for end in 0..text.len() {
            let (answer, _) = read_all(&text[..end], false).expect("the beginning of an answer");
            assert_eq!(answer, None, "{end}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(MAX_READ));
        assert_eq!(read_all(&endless, false), Err(Malformed));
        let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(MAX_HEAD));
        assert_eq!(read_all(&long, false), Err(Malformed));
    }
}
