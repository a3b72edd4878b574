use keygate_core::key::KeyHash;
use quick_cache::sync::Cache;

/// How many are remembered at most: some ten megabytes.
const MAX_REMEMBERED: usize = 100_000;

/// Hashes that no key has, so that one who presents the same wrong key again and again does not reach
/// the database each time.
///
/// Apart from the keys that there are: a flood of wrong ones drives out other wrong ones alone.
pub(crate) struct UnknownKeys(Cache<KeyHash, ()>);

impl Default for UnknownKeys {
    fn default() -> Self {
        Self(Cache::new(MAX_REMEMBERED))
    }
}

impl UnknownKeys {
    pub(crate) fn contains(&self, hash: &KeyHash) -> bool {
        self.0.get(hash).is_some()
    }

    pub(crate) fn insert(&self, hash: KeyHash) {
        self.0.insert(hash, ());
    }

    pub(crate) fn remove(&self, hash: &KeyHash) {
        self.0.remove(hash);
    }

    pub(crate) fn clear(&self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_remembered_than_fit() {
        let unknown = UnknownKeys::default();
        for number in 0..3 * u64::try_from(MAX_REMEMBERED).expect("a small number") {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            unknown.insert(KeyHash::from_bytes(bytes));
        }
        assert!(unknown.0.len() <= MAX_REMEMBERED);
        assert!(unknown.0.len() > MAX_REMEMBERED / 2);
        unknown.clear();
        assert_eq!(unknown.0.len(), 0);
    }
}
