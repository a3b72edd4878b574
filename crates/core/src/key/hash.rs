use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest, Sha256};

/// The hash of a key's secret: it is stored, and keys are looked up by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash as bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::LowerHex for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// How secrets become hashes: SHA-256, or HMAC-SHA-256 under the operator's pepper.
///
/// A fast hash is enough: a secret has 154.8 random bits and cannot be guessed.
#[derive(Debug, Clone, Default)]
pub struct KeyHasher {
    pepper: Option<SecretSlice<u8>>,
}

impl KeyHasher {
    /// HMAC-SHA-256 under `pepper`.
    pub fn peppered(pepper: Vec<u8>) -> Self {
        Self {
            pepper: Some(pepper.into()),
        }
    }

    /// The hash of a well-formed key.
    pub fn hash(&self, key: &str) -> KeyHash {
        match &self.pepper {
            None => KeyHash(Sha256::digest(key).into()),
            Some(pepper) => {
                let mac = Hmac::<Sha256>::new_from_slice(pepper.expose_secret())
                    .expect("HMAC takes a key of any length");
                KeyHash(mac.chain_update(key).finalize().into_bytes().into())
            }
        }
    }

    /// Names the scheme, pepper included, without giving the pepper away. Keys issued under one
    /// scheme do not verify under another.
    pub fn fingerprint(&self) -> String {
        if self.pepper.is_none() {
            return "sha256".to_owned();
        }
        let KeyHash([a, b, c, d, ..]) = self.hash("keygate pepper fingerprint");
        format!("hmac-sha256:{:08x}", u32::from_be_bytes([a, b, c, d]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digests were made with `sha256sum` and `openssl dgst -sha256 -hmac`.
    #[test]
    fn hashes_are_the_standard_ones() {
        let key = "ask_a1b2C3d4E5f6G7h8J9k0L1m2N30T4WGS";
        assert_eq!(format!("{:x}", KeyHasher::default().hash(key)), PLAIN);
        assert_eq!(
            format!(
                "{:x}",
                KeyHasher::peppered(b"a pepper of thirty-two bytes....".to_vec()).hash(key)
            ),
            PEPPERED
        );
    }

    #[test]
    fn fingerprints_tell_schemes_apart() {
        let fingerprints = [
            KeyHasher::default().fingerprint(),
            KeyHasher::peppered(b"one".to_vec()).fingerprint(),
            KeyHasher::peppered(b"two".to_vec()).fingerprint(),
        ];
        assert_eq!(fingerprints[0], "sha256");
        assert_ne!(fingerprints[1], fingerprints[2]);
    }

    const PLAIN: &str = "c38ed28d77a9a2156930173f5dd6d88f61e15e3c1849f9b34e81f1358b5ba16d";
    const PEPPERED: &str = "4851d1d782626c95cd019cb2176997a22d3c2c1a0c3cfbe5e0a20715a514ff87";
}
