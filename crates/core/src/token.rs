use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{Random, key::base62};

/// A random secret that stands for a session or an invitation: 43 base62 characters, 256 bits.
///
/// It cannot print itself and is wiped when dropped.
#[derive(Debug, Clone)]
pub struct Token(SecretString);

/// The SHA-256 of a [`Token`]: all that is stored of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

const LENGTH: usize = 43;

impl Token {
    /// A new token.
    pub fn generate(random: &dyn Random) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        base62::push_random(&mut text, LENGTH, random);
        Self(SecretString::from(text.as_str()))
    }

    /// Reads a token that a client presents; `None` if the text is not a token.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed =
            text.len() == LENGTH && text.bytes().all(|byte| base62::value(byte).is_some());
        well_formed.then(|| Self(SecretString::from(text)))
    }

    /// The token itself, to be handed to its owner.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The form in which it is stored and looked up.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.expose()).into())
    }
}

impl TokenHash {
    /// The hash with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash as bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsRandom;

    #[test]
    fn a_token_reads_back_and_does_not_print_itself() {
        let token = Token::generate(&OsRandom);
        let again = Token::parse(token.expose()).expect("its own text is well formed");
        assert_eq!(token.hash(), again.hash());
        assert!(!format!("{token:?}").contains(token.expose()));
    }

    #[test]
    fn what_cannot_be_a_token_is_refused() {
        for text in ["", "a", &"a".repeat(42), &"a".repeat(44), &"-".repeat(43)] {
            assert!(Token::parse(text).is_none(), "{text}");
        }
    }
}
