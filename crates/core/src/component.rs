use std::fmt;

use crate::text::{LineFault, check_line};

/// Names a part of the service that is probed: `management_api`, `data_plane`, `storage`, or
/// `upstream:` and the path of an upstream, like `upstream:/v1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ComponentId(String);

const UPSTREAM: &str = "upstream:";

impl ComponentId {
    /// The API for keys, and the dashboard.
    pub fn management_api() -> Self {
        Self("management_api".into())
    }

    /// What decides about requests by their keys.
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

    /// Reads a name, of a component that need not exist any more.
    pub fn parse(text: &str) -> Option<Self> {
        let own = [Self::management_api(), Self::data_plane(), Self::storage()];
        if let Some(known) = own.into_iter().find(|known| known.0 == text) {
            return Some(known);
        }
        let path = text.strip_prefix(UPSTREAM)?;
        let is_plain = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
        is_plain.then(|| Self::upstream(path))
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

/// What people call a component: one line of 1 to 60 Unicode scalar values, trimmed, no control
/// characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentName(String);

/// The text cannot be a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one line of 1 to {} characters", ComponentName::MAX_CHARS)]
pub struct InvalidComponentName;

impl ComponentName {
    /// The most Unicode scalar values a name has.
    pub const MAX_CHARS: usize = 60;

    /// Trims and takes a name.
    pub fn parse(text: &str) -> Result<Self, InvalidComponentName> {
        let line = check_line(text, Self::MAX_CHARS);
        line.map(|line| Self(line.to_owned()))
            .map_err(|_: LineFault| InvalidComponentName)
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

impl serde::Serialize for ComponentName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_of_ours_or_an_upstreams() {
        for text in [
            "management_api",
            "data_plane",
            "storage",
            "upstream:/v1",
            "upstream:/v1/audio",
        ] {
            let parsed = ComponentId::parse(text).expect(text);
            assert_eq!(parsed.as_str(), text);
        }
        for text in [
            "",
            "Storage",
            "storage ",
            "upstream",
            "upstream:",
            "upstream:v1",
            "upstream:/v 1",
            "upstream:/v1\n",
        ] {
            assert_eq!(ComponentId::parse(text), None, "{text:?}");
        }
    }
}
