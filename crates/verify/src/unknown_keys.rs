use keygate_core::key::KeyHash;
use keygate_storage::AsOf;
use quick_cache::sync::Cache;

/// How many are remembered at most: some ten megabytes.
const MAX_REMEMBERED: usize = 100_000;

/// Hashes of keys that do not exist, so that a client that sends the same wrong key again and again
/// does not cause a database query each time.
///
/// Apart from the keys that there are: a flood of wrong ones drives out other wrong ones alone. Each is
/// remembered with the moment at which the database was asked, since nobody is told when a key is issued.
pub(crate) struct UnknownKeys(Cache<KeyHash, AsOf>);

impl Default for UnknownKeys {
    fn default() -> Self {
        Self(Cache::new(MAX_REMEMBERED))
    }
}

impl UnknownKeys {
    /// The moment at which no key had this hash, if that is remembered.
    pub(crate) fn get(&self, hash: &KeyHash) -> Option<AsOf> {
        self.0.get(hash)
    }

    pub(crate) fn insert(&self, hash: KeyHash, as_of: AsOf) {
        self.0.insert(hash, as_of);
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
    use keygate_storage::Lease;

    use super::*;

    #[test]
    fn no_more_are_remembered_than_fit() {
        let unknown = UnknownKeys::default();
        let as_of = Lease::endless().as_of_now();
        for number in 0..3 * u64::try_from(MAX_REMEMBERED).expect("a small number") {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            unknown.insert(KeyHash::from_bytes(bytes), as_of);
        }
        assert!(unknown.0.len() <= MAX_REMEMBERED);
        assert!(unknown.0.len() > MAX_REMEMBERED / 2);
        unknown.clear();
        assert_eq!(unknown.0.len(), 0);
    }
}
