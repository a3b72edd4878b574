use std::hash::{BuildHasherDefault, Hasher};

/// Makes hashes of what is a hash already: its first bytes. Nobody can choose the hashes of the keys
/// that are kept by it, since secrets are drawn by keygate.
pub(crate) type Prehashed = BuildHasherDefault<FirstBytes>;

#[derive(Default)]
pub(crate) struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// The length that precedes the bytes tells nothing.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use keygate_core::key::KeyHash;

    use super::*;

    #[test]
    fn hashes_are_their_own_hashes() {
        let hash = KeyHash::from_bytes(std::array::from_fn(|place| {
            u8::try_from(place).expect("small")
        }));
        let hashed = Prehashed::default().hash_one(hash);
        assert_eq!(hashed.to_le_bytes(), [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
