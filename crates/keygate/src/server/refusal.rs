//! What the HTTP library cannot read, it refuses by itself, with a status and nothing else. This makes an error
//! of it as all others are.

use std::{
    fmt::Write,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http::{HeaderMap, Response, StatusCode};
use keygate_core::{Code, Problem};
use keygate_http::{RequestIds, X_REQUEST_ID, problem_response};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// How long a client that was refused may go on sending. A connection that is closed before resets, and the
/// client may never read why (RFC 9112 section 9.6). After the last call of a server that stops it is within two
/// seconds.
const LINGER: Duration = Duration::from_millis(750);

/// Writes refusals, and names them.
pub(super) struct Refusals(pub(super) Arc<RequestIds>);

impl Refusals {
    /// The error that says more than the head of the library's own answer, if it is one.
    pub(super) fn instead_of(&self, head: &[u8], has_line: bool) -> Option<Bytes> {
        let head = std::str::from_utf8(head).ok()?;
        let (version, rest) = head.split_once(' ')?;
        let status: StatusCode = rest.get(..3)?.parse().ok()?;
        if !version.starts_with("HTTP/1.") || !status.is_client_error() {
            return None;
        }
        // It takes both for a head that is too long.
        let status = match status {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE if !has_line => StatusCode::URI_TOO_LONG,
            status => status,
        };
        let id = self.0.choose(&HeaderMap::new());
        let code = status.as_u16();
        tracing::debug!(request_id = %id, status = code, "what was sent is no request");
        let mut answer: Response<Vec<u8>> = problem_response(&problem(status));
        answer.headers_mut().insert(X_REQUEST_ID, id.to_header());
        let reason = status.canonical_reason().unwrap_or_default();
        let mut written = format!("{version} {code} {reason}\r\n");
        let others = head.split("\r\n").skip(1);
        for line in others.filter(|line| !line.is_empty() && !line.starts_with("content-length:")) {
            let _ = write!(written, "{line}\r\n");
        }
        for (name, value) in answer.headers() {
            let value = value.to_str().unwrap_or_default();
            let _ = write!(written, "{name}: {value}\r\n");
        }
        let body = answer.into_body();
        let _ = write!(written, "content-length: {}\r\n\r\n", body.len());
        Some([written.into_bytes(), body].concat().into())
    }
}

fn problem(status: StatusCode) -> Problem {
    let message = match status {
        StatusCode::URI_TOO_LONG => "The address is too long.",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            "The headers are too many or too long: send fewer than 100, of less than 64 KiB together."
        }
        _ => "This is not a valid HTTP request: its first line or a header is malformed.",
    };
    Problem::new(Code::InvalidRequest, message)
}

/// The end of a connection of which not everything will be read.
#[derive(Default)]
pub(super) struct Parting {
    /// What is sent in the place of something else.
    unsent: Bytes,
    lingering: Option<Pin<Box<Sleep>>>,
}

impl Parting {
    pub(super) fn say(&mut self, instead: Bytes) {
        self.unsent = instead;
    }

    /// Sends what is to be said.
    pub(super) fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut TcpStream,
    ) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let sent = ready!(Pin::new(&mut *stream).poll_write(context, &self.unsent))?;
            self.unsent.advance(sent);
        }
        Poll::Ready(Ok(()))
    }

    /// Passes over what the client still sends, until it ends or has had time enough.
    pub(super) fn poll_linger(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut TcpStream,
    ) -> Poll<()> {
        let lingering = self
            .lingering
            .get_or_insert_with(|| Box::pin(sleep(LINGER)));
        let mut room = [0; 4 * 1024];
        while lingering.as_mut().poll(context).is_pending() {
            let mut room = ReadBuf::new(&mut room);
            let read = ready!(Pin::new(&mut *stream).poll_read(context, &mut room));
            if read.is_err() || room.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use keygate_core::OsRandom;
    use serde_json::Value;

    use super::*;

    fn instead_of(head: &str, has_line: bool) -> Option<String> {
        let refusals = Refusals(Arc::new(RequestIds::new(&OsRandom)));
        let written = refusals.instead_of(head.as_bytes(), has_line)?;
        Some(String::from_utf8(written.into()).expect("UTF-8"))
    }

    #[test]
    fn refusal_of_the_library_becomes_an_error_like_all_others() {
        for (said, has_line, expected) in [
            ("400 Bad Request", true, "HTTP/1.1 400 Bad Request"),
            (
                "431 Request Header Fields Too Large",
                true,
                "HTTP/1.1 431 Request Header Fields Too Large",
            ),
            (
                "431 Request Header Fields Too Large",
                false,
                "HTTP/1.1 414 URI Too Long",
            ),
        ] {
            let head = format!(
                "HTTP/1.1 {said}\r\nconnection: close\r\ncontent-length: 0\r\ndate: now\r\n\r\n"
            );
            let written = instead_of(&head, has_line).expect("a refusal");
            let (head, body) = written.split_once("\r\n\r\n").expect("a head");
            let lines: Vec<_> = head.split("\r\n").collect();
            assert_eq!(lines[..3], [expected, "connection: close", "date: now"]);
            let length = format!("content-length: {}", body.len());
            assert_eq!(lines.last(), Some(&length.as_str()));
            assert!(head.contains("\r\nx-request-id: req-"), "{head}");
            assert!(head.contains("\r\ncontent-type: application/json"));
            let error: Value = serde_json::from_str(body).expect("JSON");
            assert_eq!(error["error"]["type"], "invalid_request_error");
        }
    }

    #[test]
    fn what_is_no_refusal_is_left_as_it_is() {
        for head in [
            "",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 200 OK\r\n",
            "data: 400 x",
        ] {
            assert_eq!(instead_of(head, true), None, "{head}");
        }
    }
}
