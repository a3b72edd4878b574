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
        let path = percent_decode_str(path).decode_utf8_lossy();
        let path = if path.contains(&self.key_prefix) {
            "[redacted]"
        } else {
            &path
        };
        format!("{method} {path}")
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
