use std::fmt;

use crate::{
    serde_text::{as_text, words},
    text::{check_line, is_no_xml},
};

/// The id of a part of the service that is probed: `management_api`, `data_plane`, `storage`, or
/// `upstream:` and the path of an upstream, like `upstream:/v1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ComponentId(String);

const UPSTREAM: &str = "upstream:";

impl ComponentId {
    /// The API for keys, and the dashboard.
    pub fn management_api() -> Self {
        Self("management_api".into())
    }

    /// The data plane, which checks the keys of requests.
    pub fn data_plane() -> Self {
        Self("data_plane".into())
    }

    /// The database.
    pub fn storage() -> Self {
        Self("storage".into())
    }

    /// The upstream for this path and all below it.
    pub fn upstream(path: &str) -> Self {
        Self(format!("{UPSTREAM}{path}"))
    }

    /// Reads a name: of a component that there is, was, or that a later version has. It is visible ASCII.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_plain.then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for ComponentId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The name of a component: one line of 1 to 60 Unicode scalar values, trimmed, no control
/// characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentName(String);

/// The text is not a valid name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one line of 1 to {} characters", ComponentName::MAX_CHARS)]
pub struct InvalidComponentName;

impl ComponentName {
    /// The most Unicode scalar values a name has.
    pub const MAX_CHARS: usize = 60;

    /// Trims and checks a name.
    pub fn parse(text: &str) -> Result<Self, InvalidComponentName> {
        match check_line(text, Self::MAX_CHARS) {
            Ok(line) if !line.chars().any(is_no_xml) => Ok(Self(line.to_owned())),
            _ => Err(InvalidComponentName),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ComponentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_text!(ComponentName, ComponentName::parse);

words! {
    /// The health of a component. Later ones are worse.
    #[derive(PartialOrd, Ord)]
    Health {
        /// Its last probe succeeded.
        Operational => "operational",
        /// Unknown: it was not probed lately.
        Unknown => "unknown",
        /// Maintenance is in progress.
        Maintenance => "maintenance",
        /// Its last probe failed, or an open incident affects it.
        Degraded => "degraded",
        /// Three probes in a row failed.
        Outage => "outage",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_visible_ascii() {
        for text in ["management_api", "upstream:/v1/audio", "of_a_later_version"] {
            let parsed = ComponentId::parse(text).expect(text);
            assert_eq!(parsed.as_str(), text);
        }
        for text in [
            "",
            "storage ",
            "upstream:/v 1",
            "upstream:/v1\n",
            "upstream:/ü",
        ] {
            assert_eq!(ComponentId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_name_can_stand_in_a_title_and_in_a_feed() {
        let longest = "n".repeat(60);
        assert_eq!(
            ComponentName::parse(&format!(" {longest} "))
                .expect("a name")
                .as_str(),
            longest
        );
        for text in ["", " ", "a\nb", "a\u{ffff}b", "\u{202e}a", &*"n".repeat(61)] {
            ComponentName::parse(text).expect_err(text);
        }
    }
}
