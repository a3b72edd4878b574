//! Text that people write and others read.

use unicode_normalization::UnicodeNormalization;

use crate::unicode::{is_invisible, turns_direction};

/// Why a line is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineFault {
    /// Nothing that can be seen is left once white space is trimmed.
    Empty,
    /// More characters are left than it may have.
    TooLong,
    /// It contains a control character.
    ControlCharacter,
    /// It contains a character that changes the direction of the text around it.
    TurnsDirection,
}

/// The error for a text with such a character.
pub(crate) const TURNS_DIRECTION: &str = "must not contain characters that change the direction of text (U+202A to U+202E, U+2066 to U+2069)";

/// A line of 1 to `max` Unicode scalar values, without the white space around it.
pub(crate) fn check_line(text: &str, max: usize) -> Result<&str, LineFault> {
    let line = text.trim();
    if line.chars().all(is_invisible) {
        Err(LineFault::Empty)
    } else if line.chars().count() > max {
        Err(LineFault::TooLong)
    } else if line.chars().any(is_control) {
        Err(LineFault::ControlCharacter)
    } else if line.chars().any(turns_direction) {
        Err(LineFault::TurnsDirection)
    } else {
        Ok(line)
    }
}

/// The form of a text that is compared in searches: without case, and with accents and wide letters normalized.
pub fn folded(text: &str) -> String {
    let folded = text.nfkc().flat_map(char::to_lowercase);
    folded.nfkc().collect()
}

/// What XML 1.0 (section 2.2) cannot have, beside control characters.
pub(crate) fn is_no_xml(c: char) -> bool {
    matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// Control characters are those of Unicode's category Cc, and its line and paragraph separators.
pub(crate) fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_searched_for_is_found_however_it_is_written() {
        for (one, other) in [
            ("Schl\u{fc}ssel", "schlu\u{308}SSEL"),
            ("\u{ff21}\u{ff34}\u{ff2d}", "atm"),
            ("\u{fb01}n", "FIN"),
        ] {
            assert_eq!(folded(one), folded(other));
        }
    }
}
