use std::fmt;

use unicode_normalization::UnicodeNormalization;

use crate::text::{LineFault, check_line};

/// What the owner calls a key: 1 to 255 Unicode scalar values, trimmed, no control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName(String);

/// The text cannot name a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeyName {
    /// Nothing that can be seen is left once white space is trimmed.
    #[error("must not be empty")]
    Empty,
    /// More than 255 characters are left.
    #[error("must have at most {} characters", KeyName::MAX_CHARS)]
    TooLong,
    /// It holds a control character.
    #[error("must not contain control characters")]
    ControlCharacter,
}

impl KeyName {
    /// The most Unicode scalar values a name has.
    pub const MAX_CHARS: usize = 255;

    /// Trims and takes a name.
    pub fn parse(text: &str) -> Result<Self, InvalidKeyName> {
        let name = check_line(text, Self::MAX_CHARS)?;
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether somebody who types `text` means this name: white space around it and how accents are
    /// composed (NFC) make no difference.
    pub fn is_typed_as(&self, text: &str) -> bool {
        text.trim().nfc().eq(self.0.nfc())
    }
}

impl From<LineFault> for InvalidKeyName {
    fn from(fault: LineFault) -> Self {
        match fault {
            LineFault::Empty => Self::Empty,
            LineFault::TooLong => Self::TooLong,
            LineFault::ControlCharacter => Self::ControlCharacter,
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for KeyName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_scalar_values_after_trimming() {
        let longest = "\u{1f511}".repeat(255);
        let name = KeyName::parse(&format!("  {longest}\t")).expect("255 characters");
        assert_eq!(name.as_str(), longest);
        assert_eq!(
            KeyName::parse(&"a".repeat(256)),
            Err(InvalidKeyName::TooLong)
        );
    }

    #[test]
    fn blank_names_are_empty() {
        for text in [
            "",
            " ",
            "\t\r\n",
            "\u{2003}\u{3000}",
            "\u{2060}",
            "\u{feff} \u{ad}",
        ] {
            assert_eq!(KeyName::parse(text), Err(InvalidKeyName::Empty), "{text:?}");
        }
    }

    #[test]
    fn a_name_is_typed_in_either_composition() {
        let name = KeyName::parse("Cafe\u{301} \u{2764}\u{fe0f}").expect("a name");
        assert!(name.is_typed_as(" Caf\u{e9} \u{2764}\u{fe0f}\n"));
        assert!(!name.is_typed_as("Cafe \u{2764}\u{fe0f}"));
    }

    #[test]
    fn control_characters_are_refused() {
        for text in [
            "a\0b",
            "a\r\nb",
            "a\x1b[31mb",
            "a\u{7f}b",
            "a\u{85}b",
            "a\u{202e}b",
            "a\u{2028}b",
        ] {
            assert_eq!(
                KeyName::parse(text),
                Err(InvalidKeyName::ControlCharacter),
                "{text:?}"
            );
        }
    }

    #[test]
    fn markup_is_a_name_like_any_other() {
        for text in [
            "<script>alert(1)</script>",
            "=cmd|' /C calc'!A0",
            "%_",
            "'; --",
        ] {
            assert_eq!(KeyName::parse(text).expect("a name").as_str(), text);
        }
    }
}
