use keygate_core::key::KeyHash;
use keygate_storage::AsOf;
use triomphe::Arc;

use crate::{
    cache::{Entries, Known},
    cached_key::CachedKey,
    generations::Generations,
    unknown_keys::UnknownKeys,
};

/// What the database says about a hash; `None` if no key has it.
pub(crate) type Found = Option<Arc<CachedKey>>;

/// What the database has answered: the keys that there are, and the hashes that no key has.
#[derive(Default)]
pub(crate) struct Answers {
    keys: Generations,
    unknown: UnknownKeys,
}

impl Answers {
    pub(crate) fn keys(&self) -> &Generations {
        &self.keys
    }
}

impl Entries for Answers {
    type Value = Found;

    fn get(&self, hash: &KeyHash, memory: AsOf) -> Option<Known<Found>> {
        if let Some(key) = self.keys.get(hash) {
            return Some(Known {
                value: Some(key),
                as_of: memory,
            });
        }
        // Other nodes say which keys they change, and not which they issue.
        let as_of = self.unknown.get(hash)?;
        Some(Known { value: None, as_of })
    }

    fn insert(&self, hash: KeyHash, found: Found, as_of: AsOf) {
        // What was there before may have said otherwise.
        if let Some(key) = found {
            self.unknown.remove(&hash);
            self.keys.insert(hash, key);
        } else {
            self.keys.remove(&hash);
            self.unknown.insert(hash, as_of);
        }
    }

    fn remove(&self, hash: &KeyHash) {
        self.keys.remove(hash);
        self.unknown.remove(hash);
    }

    fn clear(&self) {
        self.keys.clear();
        self.unknown.clear();
    }
}

#[cfg(test)]
mod tests {
    use keygate_core::{AccountId, Credential, KeyId, OsRandom, Timestamp};
    use keygate_storage::Lease;

    use super::*;

    const HASH: KeyHash = KeyHash::from_bytes([1; 32]);

    fn key() -> Arc<CachedKey> {
        let now = Timestamp::from_millis(0);
        Arc::new(CachedKey::new(&Credential {
            key_id: KeyId::generate(now, &OsRandom),
            account_id: AccountId::generate(now, &OsRandom),
            scopes: [].into_iter().collect(),
            expires_at: None,
            is_active: true,
            account_suspended: false,
        }))
    }

    fn asked() -> AsOf {
        Lease::endless().as_of_now()
    }

    fn get(answers: &Answers) -> Option<Found> {
        answers.get(&HASH, asked()).map(|known| known.value)
    }

    #[test]
    fn the_last_answer_replaces_the_one_before() {
        let answers = Answers::default();
        assert!(get(&answers).is_none(), "it was not asked yet");
        for _ in 0..2 {
            answers.insert(HASH, None, asked());
            assert!(matches!(get(&answers), Some(None)));
            answers.insert(HASH, Some(key()), asked());
            assert!(matches!(get(&answers), Some(Some(_))));
        }
        answers.insert(HASH, None, asked());
        answers.remove(&HASH);
        assert!(get(&answers).is_none());
        answers.insert(HASH, None, asked());
        answers.clear();
        assert!(get(&answers).is_none());
    }

    #[test]
    fn a_flood_of_unknown_keys_drives_out_no_key_that_there_is() {
        let answers = Answers::default();
        answers.insert(HASH, Some(key()), asked());
        for number in 0..300_000_u64 {
            let mut bytes = [2; 32];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            answers.insert(KeyHash::from_bytes(bytes), None, asked());
        }
        assert!(matches!(get(&answers), Some(Some(_))));
        assert_eq!(answers.keys().evicted(), 0);
    }
}
