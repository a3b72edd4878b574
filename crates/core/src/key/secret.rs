use secrecy::{ExposeSecret, SecretString};

/// The secret of a key: the text that its owner keeps and a client presents.
///
/// It cannot print itself and is wiped when dropped. It leaves the process once, when the key is
/// issued.
#[derive(Debug, Clone)]
pub struct KeySecret(SecretString);

impl KeySecret {
    pub(super) fn new(text: &str) -> Self {
        Self(SecretString::from(text))
    }

    /// The secret itself, for the one answer that carries it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}
