//! Whether an upstream's answer has one reading only (RFC 9112 section 6.3).

use std::str::FromStr;

use http::{
    HeaderMap, StatusCode, Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};

/// How many bytes the fields of an answer's head may have.
pub(crate) const MAX_HEAD: usize = 64 * 1024;
/// How much is read of a head that does not end. It is more, so that how an answer comes in pieces makes no
/// difference.
pub(crate) const MAX_READ: usize = 2 * MAX_HEAD;

/// What an upstream sent is no answer that could be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not valid HTTP, or its length is ambiguous")]
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
/// does not know for one that ends with the connection, and lets an upstream switch protocols. Its length, as it is said.
pub(crate) fn check_answer(
    version: Version,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Length, Malformed> {
    check_headers(headers)?;
    let mut length = Length::default();
    for value in headers.get_all(CONTENT_LENGTH) {
        length.note_length(value.as_bytes())?;
    }
    for value in headers.get_all(TRANSFER_ENCODING) {
        length.note_coding(value.as_bytes())?;
    }
    if length.is_chunked && version < Version::HTTP_11 {
        return Err(Malformed);
    }
    length.check(status)
}

/// Refuses a head with these headers if it is too long.
pub(crate) fn check_headers(headers: &HeaderMap) -> Result<(), Malformed> {
    let fields = headers.iter();
    check_size(fields.map(|(name, value)| (name.as_str(), value.as_bytes())))
}

/// Refuses a head that is too long.
pub(crate) fn check_size<'a>(
    fields: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<(), Malformed> {
    const MARKS: usize = ": \r\n".len();
    let size: usize = fields
        .map(|(name, value)| name.len() + value.len() + MARKS)
        .sum();
    if size > MAX_HEAD {
        Err(Malformed)
    } else {
        Ok(())
    }
}

/// A length as RFC 9110 section 8.6 writes it: digits alone.
pub(crate) fn parse_length<T: FromStr>(value: &[u8]) -> Option<T> {
    let is_plain = value.iter().all(u8::is_ascii_digit);
    let digits = std::str::from_utf8(value).ok().filter(|_| is_plain);
    digits?.parse().ok()
}
