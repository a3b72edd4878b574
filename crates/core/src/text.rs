//! Text that people write and others read.

use crate::unicode::{is_bidi_control, is_invisible};

/// Why a line is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineFault {
    /// Nothing that can be seen is left once white space is trimmed.
    Empty,
    /// More characters are left than it may have.
    TooLong,
    /// It holds a control character.
    ControlCharacter,
}

/// A line of 1 to `max` Unicode scalar values, without the white space around it.
pub(crate) fn check_line(text: &str, max: usize) -> Result<&str, LineFault> {
    let line = text.trim();
    if line.chars().all(is_invisible) {
        Err(LineFault::Empty)
    } else if line.chars().count() > max {
        Err(LineFault::TooLong)
    } else if line.chars().any(is_control) {
        Err(LineFault::ControlCharacter)
    } else {
        Ok(line)
    }
}

/// What XML 1.0 (section 2.2) cannot have, beside control characters.
pub(crate) fn is_no_xml(c: char) -> bool {
    matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// Control characters are those of Unicode's category Cc, its line and paragraph separators, and
/// those that turn the direction of the text around them, since a line is shown among other text.
pub(crate) fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || is_bidi_control(c)
}
