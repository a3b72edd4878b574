use secrecy::{ExposeSecret, SecretString};

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

    /// Takes a password of 12 to 256 characters. Nothing is trimmed or folded.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidPassword> {
        let secret = SecretString::from(text.into());
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

#[cfg(test)]
mod tests {
    use super::*;

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
