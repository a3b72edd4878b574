//! Keys as they are issued and listed.

use super::{ApiKey, KeySecret};
use crate::serde_text::words;

/// A key that has just been issued, with its secret.
#[derive(Debug)]
pub struct IssuedKey {
    /// The key.
    pub key: ApiKey,
    /// Its secret, which only its owner may see.
    pub secret: KeySecret,
}

words! {
    /// Which keys to list, by [`KeyState`](super::KeyState).
    #[derive(Default)]
    KeyStatus {
        /// Those that count toward the limit.
        #[default]
        Active => "active",
        /// Those that are switched off.
        Inactive => "inactive",
        /// Those whose time is over.
        Expired => "expired",
        /// All of them.
        All => "all",
    }
}

impl KeyStatus {
    /// Whether keys come to have it, or have it no more, as time goes by.
    pub const fn depends_on_time(self) -> bool {
        matches!(self, Self::Active | Self::Expired)
    }
}
