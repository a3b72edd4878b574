//! A verifier that has all keys in its cache, for every bench.

use std::{hint::black_box, sync::Arc};

use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use keygate_core::{
    AccountId, Credential, KeyId, OsRandom, Scope, SystemClock, Timestamp,
    key::{KeyFormat, KeyHash, KeyHasher},
};
use keygate_storage::{CredentialStore, StorageError};
use keygate_verify::{Refusal, Verifier};
use tokio::runtime::Runtime;

/// Knows every key, and nothing else: what is measured is the cache.
struct Everything;

#[async_trait]
impl CredentialStore for Everything {
    async fn lookup_credential(&self, _: KeyHash) -> Result<Option<Credential>, StorageError> {
        let now = Timestamp::from_millis(0);
        Ok(Some(Credential {
            key_id: KeyId::generate(now, &OsRandom),
            account_id: AccountId::generate(now, &OsRandom),
            scopes: [Scope::Chat, Scope::Read].into_iter().collect(),
            expires_at: Some(Timestamp::from_millis(i64::MAX - 1)),
            is_active: true,
            account_suspended: false,
        }))
    }
}

fn presented(count: usize) -> Vec<String> {
    let format = KeyFormat::default();
    let value = |_| format!("Bearer {}", format.generate(&OsRandom).expose());
    (0..count).map(value).collect()
}

/// A verifier with keys in its cache, and what clients present.
pub(crate) struct World {
    verifier: Verifier,
    presented: Vec<String>,
}

impl World {
    pub(crate) fn with_keys(count: usize) -> Self {
        let world = Self {
            verifier: Verifier::new(
                Arc::new(Everything),
                Arc::new(SystemClock),
                &OsRandom,
                KeyFormat::default(),
                KeyHasher::default(),
            ),
            presented: presented(count),
        };
        let runtime = Runtime::new().expect("a runtime");
        for place in 0..count {
            let headers = world.request(place);
            runtime
                .block_on(world.verify(&headers))
                .expect("every key is known");
        }
        world
    }

    /// A copy, since a server has just read the headers, so that they are near.
    pub(crate) fn request(&self, place: usize) -> HeaderMap {
        let value = &self.presented[place % self.presented.len()];
        let value = HeaderValue::from_str(value).expect("a header value");
        HeaderMap::from_iter([(AUTHORIZATION, value)])
    }

    pub(crate) async fn verify(&self, headers: &HeaderMap) -> Result<Credential, Refusal> {
        let target = "/v1/chat/completions";
        let verifier = &self.verifier;
        verifier
            .verify(black_box(headers), target, Scope::Chat, || None)
            .await
    }
}
