use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// A password as its owner typed it. It cannot print itself and is wiped when dropped.
#[derive(Debug, Clone)]
pub struct Password(SecretString);

/// The password has fewer than 12 or more than 256 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must have {} to {} characters",
    Password::MIN_CHARS,
    Password::MAX_CHARS
)]
pub struct InvalidPassword;

impl Password {
    /// The fewest Unicode scalar values a password has.
    pub const MIN_CHARS: usize = 12;
    /// The most Unicode scalar values a password has.
    pub const MAX_CHARS: usize = 256;
    /// More than these bytes are not composed first: no so long a text has so few characters.
    const MAX_BYTES: usize = Self::MAX_CHARS * 4 * 4;

    /// Checks a password of 12 to 256 characters. Nothing is trimmed or folded, but what keyboards and
    /// systems write in different ways is one: accents are composed and blanks are plain (RFC 8265
    /// section 4.2.2).
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidPassword> {
        let typed = Zeroizing::new(text.into());
        if typed.len() > Self::MAX_BYTES {
            return Err(InvalidPassword);
        }
        let plain = |letter| if is_blank(letter) { ' ' } else { letter };
        let secret = SecretString::from(typed.chars().map(plain).nfc().collect::<String>());
        let length = secret.expose_secret().chars().count();
        if (Self::MIN_CHARS..=Self::MAX_CHARS).contains(&length) {
            Ok(Self(secret))
        } else {
            Err(InvalidPassword)
        }
    }

    /// The password itself, to be hashed or judged.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Whether it is a space of some width (Unicode's category Zs).
const fn is_blank(letter: char) -> bool {
    matches!(
        letter,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_password_however_a_keyboard_writes_it() {
        let composed = Password::parse("Schl\u{fc}sselb\u{e4}rte 2031").expect("long enough");
        let typed = Password::parse("Schlu\u{308}sselba\u{308}rte\u{a0}2031").expect("long enough");
        assert_eq!(composed.expose(), typed.expose());
        let other = Password::parse("schl\u{fc}sselb\u{e4}rte 2031").expect("long enough");
        assert_ne!(composed.expose(), other.expose(), "case counts");
    }

    #[test]
    fn length_counts_characters_at_both_borders() {
        for (length, ok) in [(11, false), (12, true), (256, true), (257, false)] {
            assert_eq!(
                Password::parse("ü".repeat(length)).is_ok(),
                ok,
                "{length} characters"
            );
        }
    }

    #[test]
    fn a_password_does_not_print_itself() {
        let password = Password::parse("correct horse battery").expect("long enough");
        assert!(!format!("{password:?}").contains("horse"));
    }
}
