//! What deciding about one request costs in process: from its headers to the decision.
//!
//! The keys are all in the cache. 10,000 are in rotation; a million are asked for at random, which is
//! what a processor's own caches do not like.

use std::{hint::black_box, sync::Arc};

use async_trait::async_trait;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use keygate_core::{
    AccountId, ApiKey, Credential, KeyId, OsRandom, Scope, SystemClock, Timestamp,
    key::{KeyFormat, KeyHash, KeyHasher},
};
use keygate_storage::{
    AuditEntry, HasherBinding, InsertKey, KeyChanges, KeyPage, KeyStore, NewKey, StorageError,
    UpdateKey,
};
use keygate_verify::Verifier;
use tokio::runtime::Runtime;

/// Knows every key, and nothing else: what is measured is the cache.
struct Everything;

#[async_trait]
impl KeyStore for Everything {
    async fn lookup_credential(&self, _: KeyHash) -> Result<Option<Credential>, StorageError> {
        let now = Timestamp::from_millis(0);
        Ok(Some(Credential {
            key_id: KeyId::generate(now, &OsRandom),
            account_id: AccountId::generate(now, &OsRandom),
            scopes: [Scope::Chat, Scope::Read].into_iter().collect(),
            expires_at: Some(Timestamp::from_millis(i64::MAX)),
            is_active: true,
            account_suspended: false,
        }))
    }

    async fn insert_key(
        &self,
        _: NewKey,
        _: u32,
        _: AuditEntry,
    ) -> Result<InsertKey, StorageError> {
        Err(StorageError::Closed)
    }

    async fn update_key(
        &self,
        _: AccountId,
        _: KeyId,
        _: KeyChanges,
        _: u32,
        _: AuditEntry,
    ) -> Result<UpdateKey, StorageError> {
        Err(StorageError::Closed)
    }

    async fn delete_key(
        &self,
        _: AccountId,
        _: KeyId,
        _: AuditEntry,
    ) -> Result<bool, StorageError> {
        Err(StorageError::Closed)
    }

    async fn lookup_key(&self, _: AccountId, _: KeyId) -> Result<Option<ApiKey>, StorageError> {
        Err(StorageError::Closed)
    }

    async fn list_keys(
        &self,
        _: AccountId,
        _: KeyPage,
        _: Timestamp,
    ) -> Result<Vec<ApiKey>, StorageError> {
        Err(StorageError::Closed)
    }

    async fn bind_hasher(&self, _: String) -> Result<HasherBinding, StorageError> {
        Err(StorageError::Closed)
    }
}

fn presented(count: usize) -> Vec<HeaderValue> {
    let format = KeyFormat::default();
    let value = |_| {
        let key = format.generate(&OsRandom);
        HeaderValue::try_from(format!("Bearer {}", key.expose())).expect("a header value")
    };
    (0..count).map(value).collect()
}

fn cached(bench: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    for (count, stride) in [(10_000, 1), (1_000_000, 374_513)] {
        let verifier = Verifier::new(
            Arc::new(Everything),
            Arc::new(SystemClock),
            KeyFormat::default(),
            KeyHasher::default(),
        );
        let presented = presented(count);
        let request =
            |place: usize| HeaderMap::from_iter([(AUTHORIZATION, presented[place].clone())]);
        let target = "/v1/chat/completions";
        for place in 0..count {
            let headers = request(place);
            let decided = runtime.block_on(verifier.verify(&headers, target, Scope::Chat, || None));
            decided.expect("every key is known");
        }
        let mut place = 0;
        bench.bench_function(&format!("{count} cached keys"), |bencher| {
            bencher.iter_batched(
                || {
                    place = (place + stride) % count;
                    // A server has just read the headers, so they are near.
                    request(place)
                },
                |headers| {
                    let verify = verifier.verify(black_box(&headers), target, Scope::Chat, || None);
                    // A cached key is decided about without waiting.
                    let decided = futures_util::FutureExt::now_or_never(verify);
                    (decided, headers)
                },
                BatchSize::NumIterations(32),
            );
        });
    }
}

/// The one step that cannot be spared.
fn hash(bench: &mut Criterion) {
    let key = KeyFormat::default().generate(&OsRandom);
    let hashing = KeyHasher::default();
    bench.bench_function("SHA-256 of a key", |bencher| {
        bencher.iter(|| hashing.hash(black_box(key.expose())));
    });
}

criterion_group!(benches, hash, cached);
criterion_main!(benches);
