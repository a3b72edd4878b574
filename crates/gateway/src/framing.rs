//! Whether an upstream's answer has one reading only (RFC 9112 section 6.3).

use std::str::FromStr;

use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};

/// What an upstream sent is no answer that could be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer is no HTTP, or its length is not clear")]
pub(crate) struct Malformed;

/// What an answer's headers say of where its body ends.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Length {
    pub(crate) bytes: Option<u64>,
    pub(crate) is_chunked: bool,
}

impl Length {
    /// Takes a `Content-Length`. The same length twice is one length.
    pub(crate) fn note_length(&mut self, value: &[u8]) -> Result<(), Malformed> {
        let length = parse_length(value).ok_or(Malformed)?;
        match self.bytes.replace(length) {
            Some(other) if other != length => Err(Malformed),
            _ => Ok(()),
        }
    }

    /// Takes a `Transfer-Encoding`: nothing but one `chunked` was asked for.
    pub(crate) fn note_coding(&mut self, value: &[u8]) -> Result<(), Malformed> {
        if self.is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Malformed);
        }
        self.is_chunked = true;
        Ok(())
    }

    /// Refuses an answer that says its length in two ways, or switches protocols that nobody asked to
    /// switch.
    pub(crate) fn check(self, status: StatusCode) -> Result<Self, Malformed> {
        let is_clear = self.bytes.is_none() || !self.is_chunked;
        if is_clear && status != StatusCode::SWITCHING_PROTOCOLS {
            Ok(self)
        } else {
            Err(Malformed)
        }
    }
}

/// Judges an answer that the HTTP library has read: it goes by one of two lengths, takes a coding that it
/// does not know for one that ends with the connection, and lets an upstream switch protocols.
pub(crate) fn check_answer(status: StatusCode, headers: &HeaderMap) -> Result<(), Malformed> {
    let mut length = Length::default();
    for value in headers.get_all(CONTENT_LENGTH) {
        length.note_length(value.as_bytes())?;
    }
    for value in headers.get_all(TRANSFER_ENCODING) {
        length.note_coding(value.as_bytes())?;
    }
    length.check(status).map(|_| ())
}

/// A length as RFC 9110 section 8.6 writes it: digits alone.
pub(crate) fn parse_length<T: FromStr>(value: &[u8]) -> Option<T> {
    let is_plain = value.iter().all(u8::is_ascii_digit);
    let digits = std::str::from_utf8(value).ok().filter(|_| is_plain);
    digits?.parse().ok()
}
