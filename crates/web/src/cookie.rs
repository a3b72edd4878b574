use std::time::Duration;

use http::{
    HeaderMap, HeaderValue,
    header::{COOKIE, SET_COOKIE},
};
use keygate_core::Token;

/// The longest that browsers keep a cookie (RFC 6265bis section 5.5).
const REMEMBER_BROWSER: Duration = Duration::from_hours(400 * 24);

/// A cookie that holds a token: opaque, out of reach of scripts, sent to this host alone.
///
/// Where the public address is https it is `Secure` and has the `__Host-` prefix, which keeps
/// other hosts of the same domain from planting one (RFC 6265bis section 4.1.3.2).
///
/// Browsers send a host's cookies to all its ports. So its name ends in what tells this keygate from others
/// there.
#[derive(Debug)]
pub(crate) struct TokenCookie {
    name: String,
    /// What it was called before names ended in anything. It is still taken, in the place of the other.
    name_before: Option<String>,
    secure: &'static str,
    lifetime: Duration,
}

impl TokenCookie {
    /// The cookie that stands for a session.
    pub(crate) fn of_session(installation: &str, is_https: bool, lifetime: Duration) -> Self {
        Self::new("keygate_session", installation, is_https, lifetime)
    }

    /// The cookie by which a browser is known with which somebody has signed in before. It opens nothing.
    pub(crate) fn of_browser(installation: &str, is_https: bool) -> Self {
        Self::new("keygate_browser", installation, is_https, REMEMBER_BROWSER)
    }

    fn new(name: &str, installation: &str, is_https: bool, lifetime: Duration) -> Self {
        let (prefix, secure) = if is_https {
            ("__Host-", "; Secure")
        } else {
            ("", "")
        };
        let name_before = format!("{prefix}{name}");
        let (name, name_before) = if installation.is_empty() {
            (name_before, None)
        } else {
            (format!("{name_before}_{installation}"), Some(name_before))
        };
        Self {
            name,
            name_before,
            secure,
            lifetime,
        }
    }

    /// The token that a request carries under exactly this name, or the one before, once.
    pub(crate) fn read<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let before = self.name_before.iter();
        let mut values =
            values(headers, &self.name).chain(before.flat_map(|name| values(headers, name)));
        let value = values.next().filter(|_| values.next().is_none())?;
        std::str::from_utf8(value).ok()
    }

    /// `Set-Cookie` for a new session.
    pub(crate) fn set(&self, token: &Token) -> HeaderValue {
        self.header(&self.name, token.expose(), self.lifetime)
    }

    /// `Set-Cookie` that makes the browser forget it.
    pub(crate) fn clear(&self) -> HeaderValue {
        self.header(&self.name, "", Duration::ZERO)
    }

    /// `Set-Cookie` that makes a browser forget what it has under the name before, if it has.
    pub(crate) fn clear_old(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let name = self.name_before.as_ref()?;
        values(headers, name).next()?;
        Some(self.header(name, "", Duration::ZERO))
    }

    /// Whether an answer sets it, to whatever.
    pub(crate) fn is_set_by(&self, headers: &HeaderMap) -> bool {
        let mut set = headers.get_all(SET_COOKIE).iter();
        set.any(|cookie| {
            let value = cookie.as_bytes().strip_prefix(self.name.as_bytes());
            value.is_some_and(|value| value.starts_with(b"="))
        })
    }

    fn header(&self, name: &str, value: &str, lifetime: Duration) -> HeaderValue {
        let secure = self.secure;
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
        let cookie = TokenCookie::of_session("", is_https, HOUR);
        cookie.read(&headers).map(str::to_owned)
    }

    #[test]
    fn attributes_are_strict() {
        let token = Token::generate(&OsRandom);
        let set = |is_https| {
            let value = TokenCookie::of_session("", is_https, HOUR).set(&token);
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
        let cookie = TokenCookie::of_session("", false, HOUR);
        assert_eq!(cookie.read(&headers), Some("x"));
    }

    #[test]
    fn keygates_on_one_host_do_not_take_each_others() {
        let ours = TokenCookie::of_session("0a1b2c3d", false, HOUR);
        for (sent, expected) in [
            ("keygate_session_0a1b2c3d=x", Some("x")),
            (
                "keygate_session_ffffffff=y; keygate_session_0a1b2c3d=x",
                Some("x"),
            ),
            ("keygate_session_ffffffff=y", None),
            ("keygate_session=x", Some("x")),
            ("keygate_session=x; keygate_session_0a1b2c3d=x", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, HeaderValue::from_static(sent));
            assert_eq!(ours.read(&headers), expected, "{sent}");
        }
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
