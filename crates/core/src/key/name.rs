use std::fmt;

use unicode_normalization::UnicodeNormalization;

use crate::{
    serde_text::as_text,
    text::{LineFault, TURNS_DIRECTION, check_line},
    unicode::is_direction_mark,
};

/// What the owner calls a key: 1 to 255 Unicode scalar values, trimmed, no control characters, and none that
/// turn the direction of the text around them, since a name is shown among other text.
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
    /// It contains a control character, or a line or paragraph separator.
    #[error("must not contain line ends, tabs or other control characters")]
    ControlCharacter,
    /// It contains a character that changes the direction of the text around it.
    #[error("{TURNS_DIRECTION}")]
    TurnsDirection,
}

impl KeyName {
    /// The most Unicode scalar values a name has.
    pub const MAX_CHARS: usize = 255;

    /// Trims and checks a name.
    pub fn parse(text: &str) -> Result<Self, InvalidKeyName> {
        let name = check_line(text, Self::MAX_CHARS)?;
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether somebody who types `text` means this name: white space around it, how accents are
    /// composed (NFC) and marks of direction, which nobody sees, make no difference.
    pub fn is_typed_as(&self, text: &str) -> bool {
        let seen = |text: &str| -> String {
            let seen = text.chars().filter(|c| !is_direction_mark(*c));
            seen.nfc().collect()
        };
        seen(text.trim()) == seen(&self.0)
    }
}

impl From<LineFault> for InvalidKeyName {
    fn from(fault: LineFault) -> Self {
        match fault {
            LineFault::Empty => Self::Empty,
            LineFault::TooLong => Self::TooLong,
            LineFault::ControlCharacter => Self::ControlCharacter,
            LineFault::TurnsDirection => Self::TurnsDirection,
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_text!(KeyName, KeyName::parse);

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
        let name = KeyName::parse("\u{5d0}\u{5d1}\u{200f}: 1").expect("a name");
        assert!(name.is_typed_as("\u{5d0}\u{5d1}: 1"));
    }

    #[test]
    fn control_characters_are_refused() {
        for text in [
            "a\0b",
            "a\r\nb",
            "a\x1b[31mb",
            "a\u{7f}b",
            "a\u{85}b",
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
    fn marks_and_joiners_are_kept_and_what_turns_the_direction_of_text_is_refused() {
        for text in [
            "\u{627}\u{644}\u{200f}: 1\u{200e}",
            "1\u{61c}-2",
            "\u{645}\u{6cc}\u{200c}\u{62e}",
            "\u{1f469}\u{200d}\u{1f4bb}",
        ] {
            assert_eq!(KeyName::parse(text).expect(text).as_str(), text);
        }
        for turning in ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}') {
            let refused = KeyName::parse(&format!("a{turning}b")).expect_err("it turns text");
            assert_eq!(refused, InvalidKeyName::TurnsDirection);
            assert!(!refused.to_string().contains("control"), "{refused}");
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
