use std::{io::Write, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, Response, StatusCode, header};
use keygate_core::{Clock, Credential};
use keygate_http::{ServerFailure, failure_of};
use tokio::sync::watch;

use crate::{decorate::Decoration, forward_auth::write_permission, identity};

/// How much memory an idle connection keeps for its next answer.
const IDLE_CAPACITY: usize = 4 * 1024;

/// The bytes to send next, and the state of the response that they belong to.
pub(super) struct Outbox {
    bytes: Vec<u8>,
    status: StatusCode,
    is_head: bool,
    is_last: bool,
    failure: Option<ServerFailure>,
    draining: watch::Receiver<()>,
    date: Date,
}

impl Outbox {
    /// An outbox of a connection on which no more is answered once `draining` has changed.
    pub(super) fn new(clock: Arc<dyn Clock>, draining: watch::Receiver<()>) -> Self {
        Self {
            bytes: Vec::new(),
            status: StatusCode::OK,
            is_head: false,
            is_last: false,
            failure: None,
            draining,
            date: Date {
                clock,
                second: 0,
                text: String::new(),
            },
        }
    }

    /// Begins the answer to another request, which may be one to `HEAD`.
    pub(super) fn begin(&mut self, is_head: bool) {
        self.bytes.clear();
        self.is_head = is_head;
        self.failure = None;
    }

    /// Frees the memory that a large response took.
    pub(super) fn shrink(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(IDLE_CAPACITY);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Notes how a request ended that was not answered.
    pub(super) fn note_status(&mut self, status: StatusCode) {
        self.status = status;
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// What failed, if the answer is keygate's own and says so.
    pub(super) fn failure(&self) -> Option<&'static str> {
        self.failure.as_ref().map(|failure| failure.code.as_str())
    }

    pub(super) fn is_head(&self) -> bool {
        self.is_head
    }

    pub(super) fn is_last(&self) -> bool {
        self.is_last
    }

    /// No other answer follows on this connection.
    pub(super) fn close(&mut self) {
        self.is_last = true;
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn header(&mut self, name: &HeaderName, value: &[u8]) {
        self.raw_header(name.as_str().as_bytes(), value);
    }

    pub(super) fn raw_header(&mut self, name: &[u8], value: &[u8]) {
        for part in [name, b": ", value, b"\r\n"] {
            self.push(part);
        }
    }

    pub(super) fn length(&mut self, length: u64) {
        write!(self.bytes, "content-length: {length}\r\n").expect("memory is there");
    }

    /// Adds a chunk of a chunked body (RFC 9112 section 7.1).
    pub(super) fn chunk(&mut self, bytes: &[u8]) {
        write!(self.bytes, "{:x}\r\n", bytes.len()).expect("memory is there");
        self.push(bytes);
        self.push(b"\r\n");
    }

    pub(super) fn identity(&mut self, credential: &Credential) {
        identity::write(credential, |name, value| self.header(name, value));
    }

    pub(super) fn status_line(&mut self, status: StatusCode) {
        self.status = status;
        self.push(b"HTTP/1.1 ");
        self.push(status.as_str().as_bytes());
        self.push(b" ");
        self.push(status.canonical_reason().unwrap_or_default().as_bytes());
        self.push(b"\r\n");
    }

    /// Ends the head of a response with the headers that every response has.
    pub(super) fn end_of_head(&mut self, decoration: &Decoration<'_>, has_date: bool) {
        decoration.write(|name, value| self.header(name, value));
        if !has_date {
            self.push(b"date: ");
            self.bytes.extend_from_slice(self.date.now().as_bytes());
            self.push(b"\r\n");
        }
        self.is_last |= self.draining.has_changed().unwrap_or(true);
        if self.is_last {
            self.header(&header::CONNECTION, b"close");
        }
        self.push(b"\r\n");
    }

    /// The response to a proxy whose request is allowed.
    pub(super) fn permission(&mut self, credential: &Credential, decoration: &Decoration<'_>) {
        self.status_line(StatusCode::OK);
        write_permission(credential, |name, value| self.header(name, value));
        self.length(0);
        self.end_of_head(decoration, false);
    }

    /// A response of keygate's own. Failures are logged.
    pub(super) fn response(&mut self, response: Response<Bytes>, decoration: &Decoration<'_>) {
        let response = decoration.shape(response);
        self.failure = failure_of(&response).cloned();
        if let Some(failure) = &self.failure {
            failure.log(decoration.id());
        }
        self.bytes.clear();
        self.status_line(response.status());
        for (name, value) in response.headers() {
            self.header(name, value.as_bytes());
        }
        // RFC 9110 section 8.6: there is none with 204.
        if response.status() != StatusCode::NO_CONTENT {
            self.length(response.body().len() as u64);
        }
        self.end_of_head(decoration, false);
        if !self.is_head {
            self.push(response.body());
        }
    }
}

/// The date as answers have it (RFC 9110 section 5.6.7), written anew each second.
struct Date {
    clock: Arc<dyn Clock>,
    second: i64,
    text: String,
}

impl Date {
    fn now(&mut self) -> &str {
        let second = self.clock.now().as_millis() / 1_000;
        if second != self.second || self.text.is_empty() {
            let since_epoch = Duration::from_secs(u64::try_from(second).unwrap_or(0));
            self.text = httpdate::fmt_http_date(std::time::UNIX_EPOCH + since_epoch);
            self.second = second;
        }
        &self.text
    }
}
