//! What the HTTP library does not show of a request's head.

use httparse::{EMPTY_HEADER, Request, Status};

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

    /// Reads the next head, which the HTTP library has read, too. Whether it says a length in two ways.
    pub(super) fn read(&mut self) -> bool {
        // It is known again where the next one begins once there is no body, or that is over.
        let Some(mut unread) = self.unread.take() else {
            return false;
        };
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut request = Request::new(&mut headers);
        let Ok(Status::Complete(length)) = request.parse(&unread) else {
            return false;
        };
        let has = |name: &str| {
            let mut headers = request.headers.iter();
            headers.any(|header| header.name.eq_ignore_ascii_case(name))
        };
        let (has_length, has_coding) = (has("content-length"), has("transfer-encoding"));
        if !has_length && !has_coding {
            unread.drain(..length);
            self.unread = Some(unread);
        }
        has_length && has_coding
    }

    /// Notes that a request is over.
    pub(super) fn end_request(&mut self) {
        self.unread.get_or_insert_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_in_two_ways_is_found_in_whichever_head_it_stands() {
        let plain = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        let post = "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n";
        let both = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\ncontent-length: 2\r\n\r\n";
        let mut heads = Heads::new();
        heads.note(&[plain, plain, &both[..20]].concat().into_bytes());
        assert!(!heads.read());
        heads.end_request();
        assert!(!heads.read());
        heads.note(&both.as_bytes()[20..]);
        assert!(heads.read());
        heads.end_request();
        heads.note(post.as_bytes());
        assert!(!heads.read());
        heads.note(b"{}");
        heads.end_request();
        heads.note(both.as_bytes());
        assert!(heads.read());
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
        assert!(!heads.read());
        heads.end_request();
        heads.note(b"POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert!(heads.read());
    }
}
