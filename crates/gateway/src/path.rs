//! Paths: what they may be, and which patterns they match.
//!
//! keygate decides by the path and the upstream acts on it, so both must read it alike. Paths
//! that servers are known to read differently are refused, and a path with percent-encoding is
//! judged by both of its readings.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The path is ambiguous: servers could read it in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AmbiguousPath;

/// The path of a target, without the query.
pub(crate) fn path_of(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

/// A path as it was sent, and as it reads once it is percent-decoded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Readings<'a> {
    pub(crate) sent: &'a str,
    pub(crate) decoded: Cow<'a, str>,
    /// How much of either is the path of its upstream, if it is known which that is.
    pub(crate) upstream_path: Option<usize>,
}

impl<'a> Readings<'a> {
    pub(crate) fn of(path: &'a str) -> Result<Self, AmbiguousPath> {
        if !percent_encoding_is_whole(path.as_bytes()) {
            return Err(AmbiguousPath);
        }
        let decoded = percent_decode_str(path)
            .decode_utf8()
            .map_err(|_| AmbiguousPath)?;
        // What is left of these after decoding would mean something to whoever decodes again.
        let is_final = !decoded.contains(['%', '?', '#']);
        let readings = Self {
            sent: path,
            decoded,
            upstream_path: None,
        };
        let safe = is_final && readings.agree(is_unambiguous)?;
        safe.then_some(readings).ok_or(AmbiguousPath)
    }

    /// Whether a path has `/v1` twice, because a client prepended it.
    pub(crate) fn has_v1_twice(&self) -> bool {
        let rest = self.decoded.strip_prefix("/v1/v1");
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The result of both readings, if they agree.
    pub(crate) fn agree<T: PartialEq>(
        &self,
        judge: impl Fn(&str) -> T,
    ) -> Result<T, AmbiguousPath> {
        let verdict = judge(self.sent);
        let agreed = matches!(self.decoded, Cow::Borrowed(_)) || judge(&self.decoded) == verdict;
        agreed.then_some(verdict).ok_or(AmbiguousPath)
    }
}

fn percent_encoding_is_whole(path: &[u8]) -> bool {
    path.iter().enumerate().all(|(index, byte)| {
        *byte != b'%'
            || path
                .get(index + 1..index + 3)
                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// No empty segment but the last, no dot segment (RFC 3986 section 3.3), no blanks around one, no
/// backslash, no parameters, no control character.
fn is_unambiguous(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else {
        return false;
    };
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_dots = matches!(segment, "." | "..");
        let is_inner = segments.peek().is_some();
        if is_dots || (is_inner && segment.is_empty()) || segment.trim() != segment {
            return false;
        }
    }
    !path
        .chars()
        .any(|c| matches!(c, '\\' | ';') || c.is_control())
}

/// A path pattern of the route table. `*` at the beginning of a segment stands for one character or more of it, and
/// `/**` at the end for all below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    path: String,
    has_wildcards: bool,
    with_all_below: bool,
}

/// The pattern does not begin with `/`, or has a `*` where none may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a path, in which a part may begin with *, and which may end in /** for all below it"
)]
pub struct InvalidPattern;

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let (path, with_all_below) = match text.strip_suffix("/**") {
            Some(path) => (path, true),
            None => (text.strip_suffix('/').unwrap_or(text), false),
        };
        let has_stray_wildcard = path
            .split('/')
            .any(|segment| segment.rfind('*').is_some_and(|place| place > 0));
        let valid = !has_stray_wildcard
            && !path.contains(['?', '#', '%'])
            && (is_unambiguous(path) || text == "/**")
            && !path.ends_with('/');
        valid
            .then(|| Self {
                path: path.to_owned(),
                has_wildcards: path.contains('*'),
                with_all_below,
            })
            .ok_or(InvalidPattern)
    }

    /// What stands before `/**`.
    pub(crate) fn prefix(&self) -> &str {
        &self.path
    }

    /// Whether the pattern covers a path. Case and a slash at the end make no difference, as there
    /// are servers to which they make none.
    pub(crate) fn matches(&self, path: &str) -> bool {
        if self.has_wildcards {
            return self.matches_by_segment(path);
        }
        let (path, own) = (path.as_bytes(), self.path.as_bytes());
        let Some((head, below)) = path.split_at_checked(own.len()) else {
            return false;
        };
        head.eq_ignore_ascii_case(own)
            && (matches!(below, b"" | b"/") || self.with_all_below && below[0] == b'/')
    }

    fn matches_by_segment(&self, path: &str) -> bool {
        let mut segments = path.strip_suffix('/').unwrap_or(path).split('/');
        let mut own = self.path.split('/');
        let covers_beginning = own
            .by_ref()
            .all(|own| segments.next().is_some_and(|one| covers_segment(own, one)));
        covers_beginning && (self.with_all_below || segments.next().is_none())
    }
}

fn covers_segment(own: &str, segment: &str) -> bool {
    let (own, segment) = (own.as_bytes(), segment.as_bytes());
    let Some(end) = own.strip_prefix(b"*") else {
        return own.eq_ignore_ascii_case(segment);
    };
    let rest = segment.len().saturating_sub(end.len());
    rest > 0 && segment[rest..].eq_ignore_ascii_case(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_have_one_reading() {
        for path in ["/", "/v1", "/v1/", "/v1/models", "/v1/models/a:b@c~d/"] {
            let readings = Readings::of(path).expect(path);
            assert_eq!(readings.decoded, path);
        }
    }

    #[test]
    fn ambiguous_paths_are_refused() {
        for path in [
            "",
            "*",
            "v1/models",
            "//v1/models",
            "/v1//chat/completions",
            "/v1/files//",
            "/v1/./models",
            "/v1/../api/keys",
            "/v1/..",
            "/v1/files/..;/admin",
            "/v1/%2e%2e/api",
            "/v1/.%2E/api",
            "/v1/%2Fchat",
            "/v1/files/%2f..",
            "/v1/files/a%2F..%2Fb",
            "/v1/%5c..",
            "/v1\\models",
            "/v1/mod%00els",
            "/v1/models%0d%0a",
            "/v1/%zz",
            "/v1/%2",
            "/v1/%",
            "/v1/%ff",
            "/v1/%252e%252e/admin",
            "/v1/m%256fdels",
            "/v1/models;x/a",
            "/v1/models%3Bx",
            "/v1/models%3Fx",
            "/v1/models%23x",
            "/v1/models%20",
            "/v1/%20models/x",
        ] {
            assert_eq!(Readings::of(path), Err(AmbiguousPath), "{path}");
        }
    }

    #[test]
    fn both_readings_must_agree() {
        let chat = Pattern::parse("/v1/chat/completions").expect("a pattern");
        for (path, agreed) in [
            ("/v1/chat/completions", Ok(true)),
            ("/v1/models/org%2Fname", Ok(false)),
            ("/v1/chat%2Fcompletions", Err(AmbiguousPath)),
            ("/v1/%63hat/completions", Err(AmbiguousPath)),
        ] {
            let readings = Readings::of(path).expect(path);
            assert_eq!(readings.agree(|path| chat.matches(path)), agreed, "{path}");
        }
    }

    #[test]
    fn patterns_cover_a_path_or_all_below_it() {
        for (pattern, path, covered) in [
            ("/v1/models", "/v1/models", true),
            ("/v1/models", "/v1/models/", true),
            ("/v1/models", "/V1/Models", true),
            ("/v1/models", "/v1/models/a", false),
            ("/v1/models", "/v1/modelsx", false),
            ("/v1/models", "/v1/model", false),
            ("/v1/files/**", "/v1/files", true),
            ("/v1/files/**", "/v1/files/", true),
            ("/v1/files/**", "/v1/files/a/b", true),
            ("/v1/files/**", "/v1/filesystem", false),
            ("/v1/**", "/v1/anything", true),
            ("/**", "/", true),
            ("/**", "/anything/at/all", true),
            ("/models/*/copy", "/models/a/copy/", true),
            ("/models/*/copy", "/Models/a/Copy", true),
            ("/models/*/copy", "/models//copy", false),
            ("/models/*/copy", "/models/a/b/copy", false),
            ("/models/*/copy", "/models/a/copy/b", false),
            ("/models/*/copy/**", "/models/a/copy/b", true),
            ("/models/*", "/models/a", true),
            ("/models/*", "/models", false),
            ("/models/*:embed", "/models/a:b:Embed", true),
            ("/models/*:embed", "/models/:embed", false),
            ("/models/*:embed", "/models/a:embedding", false),
            ("/models/*:embed", "/models/ä", false),
        ] {
            let parsed = Pattern::parse(pattern).expect(pattern);
            assert_eq!(parsed.matches(path), covered, "{pattern} {path}");
        }
    }

    #[test]
    fn other_patterns_are_refused() {
        for text in [
            "", "/", "v1/x", "/v1/a*", "/v1/*a*", "/v1/**/x", "/v1/***", "/v1/a?b", "/v1//x",
            "/v1/../x", "/v1//**", "//**",
        ] {
            assert_eq!(Pattern::parse(text), Err(InvalidPattern), "{text}");
        }
    }
}
