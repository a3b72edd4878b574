//! What deciding about one request costs in process: from its headers to the decision.
//!
//! The keys are all in the cache. 10,000 are in rotation; a million are asked for at random, which is
//! what a processor's own caches do not like.

use std::{
    hint::black_box,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt;
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
struct World {
    verifier: Verifier,
    presented: Vec<String>,
}

impl World {
    fn with_keys(count: usize) -> Self {
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
    fn request(&self, place: usize) -> HeaderMap {
        let value = &self.presented[place % self.presented.len()];
        let value = HeaderValue::from_str(value).expect("a header value");
        HeaderMap::from_iter([(AUTHORIZATION, value)])
    }

    async fn verify(&self, headers: &HeaderMap) -> Result<Credential, Refusal> {
        let target = "/v1/chat/completions";
        let verifier = &self.verifier;
        verifier
            .verify(black_box(headers), target, Scope::Chat, || None)
            .await
    }

    /// How long it takes to verify so many keys, one after the other.
    fn time(&self, keys: u64) -> Duration {
        let mut time = Duration::ZERO;
        let mut place = 0;
        for left in (0..keys).step_by(BATCH).map(|done| keys - done) {
            let requests = (0..left.min(BATCH as u64)).map(|_| {
                place += STRIDE;
                self.request(place)
            });
            let requests: Vec<_> = requests.collect();
            let began = Instant::now();
            for headers in &requests {
                // A cached key is decided about without waiting.
                black_box(self.verify(headers).now_or_never()).map(drop);
            }
            time += began.elapsed();
        }
        time
    }
}

/// How many requests are made at once, so that making them is not measured.
const BATCH: usize = 32;
/// From one key to the next: far away, and coprime to how many there are.
const STRIDE: usize = 374_513;

fn cached(bench: &mut Criterion) {
    for count in [10_000, 1_000_000] {
        let world = World::with_keys(count);
        bench.bench_function(&format!("{count} cached keys"), |bencher| {
            bencher.iter_custom(|keys| world.time(keys));
        });
        bench.bench_function(&format!("{count} cached keys, two cores"), |bencher| {
            bencher.iter_custom(|keys| {
                thread::scope(|scope| {
                    let other = scope.spawn(|| world.time(keys));
                    world.time(keys).max(other.join().expect("no panic"))
                })
            });
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
