use zeroize::Zeroizing;

use super::{KeySecret, base62};
use crate::Random;

/// How keys are written: `ask_` (a setting), 26 random base62 digits and 6 of checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFormat {
    prefix: String,
}

/// The prefix is not of the form `[a-z][a-z0-9]{1,14}_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a lower-case letter, 1 to 14 lower-case letters or digits, and an underscore")]
pub struct InvalidPrefix;

/// The text is not a key: wrong prefix, length, alphabet or checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a well-formed key")]
pub struct MalformedKey;

const RANDOM_DIGITS: usize = 26;
const CHECKSUM_DIGITS: usize = 6;
/// How much of the random part is shown to tell keys apart.
const SHOWN_DIGITS: usize = 4;

impl KeyFormat {
    /// The format whose keys begin with `prefix`, underscore included.
    pub fn with_prefix(prefix: &str) -> Result<Self, InvalidPrefix> {
        let word = prefix.strip_suffix('_').ok_or(InvalidPrefix)?.as_bytes();
        let valid = (2..=15).contains(&word.len())
            && word[0].is_ascii_lowercase()
            && word
                .iter()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !valid {
            return Err(InvalidPrefix);
        }
        Ok(Self {
            prefix: prefix.to_owned(),
        })
    }

    /// What every key begins with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Draws a new key.
    pub fn generate(&self, random: &dyn Random) -> KeySecret {
        let mut text = Zeroizing::new(String::with_capacity(self.length()));
        text.push_str(&self.prefix);
        base62::push_random(&mut text, RANDOM_DIGITS, random);
        let checksum = base62::six_digits(crc32fast::hash(text.as_bytes()));
        text.extend(checksum.map(char::from));
        KeySecret::new(&text)
    }

    /// Whether a text has a key's prefix and length. For a key in the cache no more is checked.
    pub fn resembles(&self, text: &str) -> bool {
        text.len() == self.length() && text.starts_with(&self.prefix)
    }

    /// Checks what a client presents: prefix, length, alphabet, checksum. Needs no look-up and
    /// allocates nothing.
    pub fn check(&self, text: &str) -> Result<(), MalformedKey> {
        if !self.resembles(text) {
            return Err(MalformedKey);
        }
        let bytes = text.as_bytes();
        let (body, checksum) = bytes.split_at(bytes.len() - CHECKSUM_DIGITS);
        let in_alphabet = body[self.prefix.len()..]
            .iter()
            .all(|byte| base62::value(*byte).is_some());
        if in_alphabet && base62::six_digits(crc32fast::hash(body)) == checksum {
            Ok(())
        } else {
            Err(MalformedKey)
        }
    }

    /// Whether a text contains a well-formed key.
    pub fn is_in(&self, text: &str) -> bool {
        text.match_indices(&self.prefix).any(|(start, _)| {
            let candidate = text.get(start..start + self.length());
            candidate.is_some_and(|candidate| self.check(candidate).is_ok())
        })
    }

    /// The part of a key that may be shown: the prefix and the next 4 characters.
    pub fn shown_prefix(&self, secret: &KeySecret) -> String {
        secret.expose()[..self.prefix.len() + SHOWN_DIGITS].to_owned()
    }

    /// How many characters a key has, all of them ASCII.
    pub fn length(&self) -> usize {
        self.prefix.len() + RANDOM_DIGITS + CHECKSUM_DIGITS
    }
}

impl Default for KeyFormat {
    fn default() -> Self {
        Self {
            prefix: "ask_".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{OsRandom, SeededRandom};

    const VECTORS: &str = include_str!("../../../../docs/key-format.md");

    /// Every line of the form "| `ask_…` | yes/no | …" in the document is a vector.
    #[test]
    fn the_documents_vectors_hold() {
        let mut seen = 0;
        for line in VECTORS.lines() {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, key, verdict @ ("yes" | "no"), ..] = cells[..] else {
                continue;
            };
            let key = key.trim_matches('`');
            let expected = verdict == "yes";
            assert_eq!(KeyFormat::default().check(key).is_ok(), expected, "{key}");
            seen += 1;
        }
        assert!(seen >= 10, "only {seen} vectors were found");
    }

    #[test]
    fn a_generated_key_is_well_formed_and_shows_only_its_prefix() {
        let format = KeyFormat::default();
        let secret = format.generate(&OsRandom);
        assert_eq!(secret.expose().len(), 36);
        assert_eq!(format.check(secret.expose()), Ok(()));
        assert_eq!(format.shown_prefix(&secret), secret.expose()[..8]);
        assert!(!format!("{secret:?}").contains(&secret.expose()[4..]));
    }

    #[test]
    fn another_prefix_makes_other_keys() {
        let ours = KeyFormat::with_prefix("acme1_").expect("a prefix");
        let secret = ours.generate(&OsRandom);
        assert_eq!(ours.check(secret.expose()), Ok(()));
        assert_eq!(
            KeyFormat::default().check(secret.expose()),
            Err(MalformedKey)
        );
    }

    #[test]
    fn prefixes_follow_their_pattern() {
        for (prefix, valid) in [
            ("ask_", true),
            ("ab_", true),
            ("a2345678901234_", true),
            ("a23456789012345_", true),
            ("a234567890123456_", false),
            ("a_", false),
            ("_", false),
            ("", false),
            ("ask", false),
            ("1sk_", false),
            ("Ask_", false),
            ("as-k_", false),
            ("as__", false),
        ] {
            assert_eq!(KeyFormat::with_prefix(prefix).is_ok(), valid, "{prefix}");
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_key() {
        let draw = |seed| KeyFormat::default().generate(&SeededRandom::new(seed));
        assert_eq!(draw(7).expose(), draw(7).expose());
        assert_ne!(draw(7).expose(), draw(8).expose());
    }

    proptest! {
        #[test]
        fn one_changed_character_is_always_noticed(seed: u64, position in 4_usize..36, with in 0_usize..62) {
            let format = KeyFormat::default();
            let mut text = format.generate(&SeededRandom::new(seed)).expose().to_owned().into_bytes();
            let digit = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[with];
            prop_assume!(text[position] != digit);
            text[position] = digit;
            let text = String::from_utf8(text).expect("ASCII");
            prop_assert_eq!(format.check(&text), Err(MalformedKey));
        }

        #[test]
        fn any_text_is_checked_without_panic(text in ".*") {
            let _ = KeyFormat::default().check(&text);
        }
    }
}
