use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::COOKIE};
use keygate_core::Token;

/// The longest that browsers keep a cookie (RFC 6265bis section 5.5).
const REMEMBER_BROWSER: Duration = Duration::from_hours(400 * 24);

/// A cookie that holds a token: opaque, out of reach of scripts, sent to this host alone.
///
/// Where the public address is https it is `Secure` and has the `__Host-` prefix, which keeps
/// other hosts of the same domain from planting one (RFC 6265bis section 4.1.3.2).
#[derive(Debug)]
pub(crate) struct TokenCookie {
    name: String,
    secure: &'static str,
    lifetime: Duration,
}

impl TokenCookie {
    /// The cookie that stands for a session.
    pub(crate) fn of_session(is_https: bool, lifetime: Duration) -> Self {
        Self::new("keygate_session", is_https, lifetime)
    }

    /// The cookie by which a browser is known with which somebody has signed in before. It opens nothing.
    pub(crate) fn of_browser(is_https: bool) -> Self {
        Self::new("keygate_browser", is_https, REMEMBER_BROWSER)
    }

    fn new(name: &str, is_https: bool, lifetime: Duration) -> Self {
        let (prefix, secure) = if is_https {
            ("__Host-", "; Secure")
        } else {
            ("", "")
        };
        let name = format!("{prefix}{name}");
        Self {
            name,
            secure,
            lifetime,
        }
    }

    /// The token that a request carries under exactly this name, once.
    pub(crate) fn read<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let mut values = values(headers, &self.name);
        let value = values.next().filter(|_| values.next().is_none())?;
        std::str::from_utf8(value).ok()
    }

    /// `Set-Cookie` for a new session.
    pub(crate) fn set(&self, token: &Token) -> HeaderValue {
        self.header(token.expose(), self.lifetime)
    }

    /// `Set-Cookie` that makes the browser forget it.
    pub(crate) fn clear(&self) -> HeaderValue {
        self.header("", Duration::ZERO)
    }

    fn header(&self, value: &str, lifetime: Duration) -> HeaderValue {
        let Self { name, secure, .. } = self;
        let seconds = lifetime.as_secs();
        let text =
            format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
        let mut header = HeaderValue::try_from(text).expect("a token is a cookie value");
        header.set_sensitive(true);
        header
    }
}

/// What a request has under exactly this name. Byte by byte: other programs on this host set cookies, too,
/// in whatever encoding.
pub(crate) fn values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a [u8]> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|header| header.as_bytes().split(|byte| *byte == b';'))
        .filter_map(move |pair| pair.trim_ascii().strip_prefix(name.as_bytes()))
        .filter_map(|rest| rest.strip_prefix(b"="))
}

#[cfg(test)]
mod tests {
    use keygate_core::OsRandom;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn read(is_https: bool, cookies: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(COOKIE, HeaderValue::from_static(cookie));
        }
        let cookie = TokenCookie::of_session(is_https, HOUR);
        cookie.read(&headers).map(str::to_owned)
    }

    #[test]
    fn attributes_are_strict() {
        let token = Token::generate(&OsRandom);
        let set = |is_https| {
            let value = TokenCookie::of_session(is_https, HOUR).set(&token);
            let text = value.to_str().expect("ASCII").to_owned();
            text.replace(token.expose(), "TOKEN")
        };
        assert_eq!(
            set(false),
            "keygate_session=TOKEN; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600"
        );
        assert_eq!(
            set(true),
            "__Host-keygate_session=TOKEN; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600; Secure"
        );
    }

    #[test]
    fn only_the_exact_name_counts() {
        assert_eq!(
            read(false, &["a=b; keygate_session=x"]).as_deref(),
            Some("x")
        );
        assert_eq!(
            read(true, &["__Host-keygate_session=x"]).as_deref(),
            Some("x")
        );
        for other in [
            "Keygate_session=x",
            "keygate-session=x",
            "__host-keygate_session=x",
            "__Secure-keygate_session=x",
            "keygate_session",
        ] {
            assert_eq!(read(false, &[other]), None, "{other}");
        }
        assert_eq!(read(true, &["keygate_session=x"]), None);
    }

    #[test]
    fn cookies_of_other_programs_are_passed_over_in_whatever_encoding() {
        let mut headers = HeaderMap::new();
        let cookies = [
            b"theme=gr\xc3\xbcn; keygate_session=x; a" as &[u8],
            b"b=\xff",
        ];
        for cookie in cookies {
            headers.append(COOKIE, HeaderValue::from_bytes(cookie).expect("a value"));
        }
        let cookie = TokenCookie::of_session(false, HOUR);
        assert_eq!(cookie.read(&headers), Some("x"));
    }

    #[test]
    fn two_of_them_are_none() {
        assert_eq!(read(false, &["keygate_session=x; keygate_session=y"]), None);
        assert_eq!(
            read(false, &["keygate_session=x", "keygate_session=y"]),
            None
        );
    }
}
