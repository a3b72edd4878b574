//! What the service is to those who use it: its name, its picture, and whom to ask.

use axum::body::Bytes;
use http::Uri;
use keygate_core::EmailAddress;

use crate::assets;

/// What stands on all pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    /// What the service is called.
    pub name: String,
    /// The picture before its name, if it is not keygate's.
    pub logo: Option<Logo>,
    /// Whom to ask for an account, and for help.
    pub contact: Option<Contact>,
}

impl Default for Brand {
    fn default() -> Self {
        Self {
            name: "keygate".into(),
            logo: None,
            contact: None,
        }
    }
}

impl Brand {
    /// Where pages find the picture.
    pub(crate) fn logo_url(&self) -> String {
        let logo = self.logo.as_ref();
        logo.map_or_else(
            || assets::url("mark.svg"),
            |logo| format!("/assets/logo?{}", logo.version),
        )
    }

    /// The type of the picture.
    pub(crate) fn logo_type(&self) -> &'static str {
        self.logo
            .as_ref()
            .map_or(assets::SVG, |logo| logo.content_type)
    }
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logo {
    pub(crate) content_type: &'static str,
    pub(crate) picture: Bytes,
    /// What tells it from any other.
    pub(crate) version: String,
}

impl Logo {
    /// How large a logo may be.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// A picture of 64 KiB at most, by what it begins with: PNG, or SVG (as XML, without other text before it). `None` is
    /// neither, or larger.
    pub fn new(picture: Vec<u8>) -> Option<Self> {
        let is_png = picture.starts_with(b"\x89PNG\r\n\x1a\n");
        let text = std::str::from_utf8(&picture).unwrap_or_default();
        let is_svg = text
            .trim_start_matches('\u{feff}')
            .trim_start()
            .starts_with('<')
            && text.contains("<svg");
        let content_type = match (is_png, is_svg) {
            (true, _) => "image/png",
            (_, true) => assets::SVG,
            _ => return None,
        };
        (picture.len() <= Self::MAX_BYTES).then(|| Self {
            content_type,
            version: assets::version(&picture),
            picture: picture.into(),
        })
    }
}

/// Whom to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contact {
    /// By e-mail.
    Email(EmailAddress),
    /// On a page of the web.
    Page(String),
}

impl Contact {
    /// An e-mail address, or the address of a page.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = EmailAddress::parse(text) {
            return Some(Self::Email(address));
        }
        let url: Uri = text.parse().ok()?;
        let is_web = matches!(url.scheme_str(), Some("http" | "https"))
            && url.authority().is_some_and(|to| !to.as_str().contains('@'));
        is_web.then(|| Self::Page(text.to_owned()))
    }

    pub(crate) fn href(&self) -> String {
        match self {
            Self::Email(address) => format!("mailto:{address}"),
            Self::Page(url) => url.clone(),
        }
    }

    /// The same as people read it.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Email(address) => address.as_str(),
            Self::Page(url) => {
                let (_, rest) = url.split_once("://").unwrap_or(("", url));
                rest.trim_end_matches('/')
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_by_what_they_begin_with() {
        let kind = |picture: &[u8]| Logo::new(picture.to_vec()).map(|logo| logo.content_type);
        assert_eq!(kind(b"\x89PNG\r\n\x1a\n..."), Some("image/png"));
        assert_eq!(kind(b"<svg xmlns=\"x\"/>"), Some("image/svg+xml"));
        assert_eq!(
            kind(b"\n<?xml version=\"1.0\"?><svg/>"),
            Some("image/svg+xml")
        );
        assert_eq!(kind("\u{feff}<svg/>".as_bytes()), Some("image/svg+xml"));
        assert_eq!(kind(b"<html></html>"), None);
        assert_eq!(kind(b"GIF89a"), None);
        assert_eq!(kind(b""), None);
        assert!(kind(&[b"<svg>".to_vec(), vec![b' '; Logo::MAX_BYTES]].concat()).is_none());
    }

    #[test]
    fn a_contact_is_an_address_or_a_page() {
        for (text, expected) in [
            (
                "help@example.com",
                Some(("mailto:help@example.com", "help@example.com")),
            ),
            (
                "https://example.com/help/",
                Some(("https://example.com/help/", "example.com/help")),
            ),
            ("javascript:alert(1)", None),
            ("https://user:password@example.com/", None),
            ("example.com", None),
            ("", None),
        ] {
            let contact = Contact::parse(text);
            let said = contact
                .as_ref()
                .map(|contact| (contact.href(), contact.text()));
            let expected = expected.map(|(href, text)| (href.to_owned(), text));
            assert_eq!(said, expected, "{text}");
        }
    }
}
