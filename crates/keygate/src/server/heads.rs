//! What the HTTP library does not show of a request's head.

use httparse::{EMPTY_HEADER, Request, Status};
use memchr::memchr_iter;

/// Heads that are longer the HTTP library refuses.
const MAX_UNREAD: usize = 128 * 1024;
const MAX_HEADERS: usize = 100;

/// Reads the heads of the requests on a connection as they pass. Where a length stands beside a coding, the
/// HTTP library goes by the coding and shows no length; whoever has passed the request on may have gone by the
/// other (RFC 9112 section 6.3).
pub(super) struct Heads {
    /// What has come behind the last head; `None` while it is not known where the next one begins.
    unread: Option<Vec<u8>>,
}

impl Heads {
    pub(super) fn new() -> Self {
        Self {
            unread: Some(Vec::new()),
        }
    }

    /// Notes what has come.
    pub(super) fn note(&mut self, bytes: &[u8]) {
        if let Some(unread) = &mut self.unread {
            unread.extend_from_slice(bytes);
            if unread.len() > MAX_UNREAD {
                self.unread = None;
            }
        }
    }

    /// Whether the next head, which the HTTP library has read, says a length.
    pub(super) fn say_length(&self) -> bool {
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut request = Request::new(&mut headers);
        let head = self.unread.as_deref().unwrap_or_default();
        let Ok(Status::Complete(_)) = request.parse(head) else {
            return false;
        };
        let mut headers = request.headers.iter();
        headers.any(|header| header.name.eq_ignore_ascii_case("content-length"))
    }

    /// Passes over the next head. Behind a body it is not known where the one after it begins.
    pub(super) fn advance(&mut self, has_body: bool) {
        let unread = self.unread.take().filter(|_| !has_body);
        self.unread = unread.and_then(|mut unread| {
            unread.drain(..end_of_head(&unread)?);
            Some(unread)
        });
    }

    /// Notes that a request is over.
    pub(super) fn end_request(&mut self) {
        self.unread.get_or_insert_default();
    }
}

/// Where a head ends: behind an empty line that is not before it (RFC 9112 section 2.2).
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let begin = bytes
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    memchr_iter(b'\n', &bytes[begin..]).find_map(|at| {
        let end = begin + at + 1;
        match bytes[end..] {
            [b'\n', ..] => Some(end + 1),
            [b'\r', b'\n', ..] => Some(end + 2),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_in_two_ways_is_found_in_whichever_head_it_stands() {
        let plain = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        let bare = b"GET / HTTP/1.1\nHost: x\n\n";
        let post = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n";
        let both = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\ncontent-length: 2\r\n\r\n";
        let mut heads = Heads::new();
        heads.note(&[&b"\r\n"[..], plain, bare, &both[..20]].concat());
        for _ in 0..2 {
            assert!(!heads.say_length());
            heads.advance(false);
            heads.end_request();
        }
        heads.note(&both[20..]);
        assert!(heads.say_length());
        heads.advance(true);
        heads.end_request();
        heads.note(post);
        assert!(heads.say_length());
        heads.advance(true);
        heads.note(b"{}");
        assert!(!heads.say_length());
        heads.end_request();
        heads.note(both);
        assert!(heads.say_length());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut heads = Heads::new();
        for _ in 0..100 {
            heads.note(&[b'x'; 4_096]);
            assert!(
                heads
                    .unread
                    .as_ref()
                    .is_none_or(|it| it.len() <= MAX_UNREAD)
            );
        }
        heads.advance(false);
        heads.end_request();
        heads.note(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n");
        assert!(heads.say_length());
    }
}
