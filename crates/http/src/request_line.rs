use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode_str;

/// How requests are written to the log: method and path. The query may hold a secret, and a path
/// should not.
#[derive(Debug, Clone)]
pub struct RequestLine {
    key_prefix: String,
}

impl RequestLine {
    /// Leaves out paths in which keys with this prefix may stand.
    pub fn without_keys(key_prefix: &str) -> Self {
        Self {
            key_prefix: key_prefix.to_owned(),
        }
    }

    /// The line for a request.
    pub fn of(&self, method: &Method, path: &str) -> String {
        format!("{method} {}", self.path(path))
    }

    /// The path as it is written down.
    pub fn path<'a>(&self, path: &'a str) -> Cow<'a, str> {
        let path = percent_decode_str(path).decode_utf8_lossy();
        if self.may_hold_key(&path) {
            Cow::Borrowed("[redacted]")
        } else {
            path
        }
    }

    /// Whether there may be a key in a text.
    pub fn may_hold_key(&self, text: &str) -> bool {
        text.contains(&self.key_prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_may_hold_a_key_is_left_out() {
        let line = RequestLine::without_keys("ask_");
        for (path, expected) in [
            ("/v1/models", "GET /v1/models"),
            ("/v1/ask_a1b2", "GET [redacted]"),
            ("/v1/%61sk_a1b2", "GET [redacted]"),
        ] {
            assert_eq!(line.of(&Method::GET, path), expected);
        }
    }
}
