use std::{net::IpAddr, sync, time::Duration};

use keygate_core::{
    Attempt, Clock, Credential, Decision, Denial, Random, RecorderId, Scope, evaluate,
    key::{KeyFormat, KeyHash, KeyHasher},
};
use keygate_http::Headers;
use keygate_storage::{ChangeListener, CredentialStore, StorageError, Store};
use quick_cache::{
    UnitWeighter,
    sync::{Cache, DefaultLifecycle},
};
use tokio::sync::OnceCell;
use triomphe::Arc;

use crate::{
    Refusal, UsageRecorder,
    bearer::presented_key,
    cache::{Entries, GuardedCache},
    cached_key::CachedKey,
    prehashed::Prehashed,
    strangers::Strangers,
};

/// How many keys are kept in memory; the least useful are forgotten first.
const CAPACITY: usize = 1_000_000;

/// How long a client waits for its refusal once it has tried too many keys: it could ask again at
/// once otherwise, at the expense of the others.
const TARPIT: Duration = Duration::from_secs(1);

/// What a fill found; `None` is a key that was never issued.
type Found = Option<Arc<CachedKey>>;

/// Decides about requests by the keys that they present.
///
/// It must hear of each change to the store that it reads, as with [`Verifier::subscribed_to`]:
/// otherwise it goes by what it saw once.
pub struct Verifier {
    store: sync::Arc<dyn CredentialStore>,
    clock: sync::Arc<dyn Clock>,
    format: KeyFormat,
    hasher: KeyHasher,
    cache: GuardedCache<KeyCache, OnceCell<Found>>,
    usage: UsageRecorder,
    strangers: Strangers,
}

impl Verifier {
    /// A verifier of keys of this format, with nothing in memory yet.
    pub fn new(
        store: sync::Arc<dyn CredentialStore>,
        clock: sync::Arc<dyn Clock>,
        random: &dyn Random,
        format: KeyFormat,
        hasher: KeyHasher,
    ) -> Self {
        let recorder = RecorderId::generate(clock.now(), random);
        Self {
            store,
            clock,
            format,
            hasher,
            cache: GuardedCache::new(key_cache()),
            usage: UsageRecorder::new(recorder),
            strangers: Strangers::default(),
        }
    }

    /// A verifier that hears of each change to the store that it reads.
    pub fn subscribed_to(
        store: &sync::Arc<dyn Store>,
        clock: sync::Arc<dyn Clock>,
        random: &dyn Random,
        format: KeyFormat,
        hasher: KeyHasher,
    ) -> sync::Arc<Self> {
        let verifier = sync::Arc::new(Self::new(store.clone(), clock, random, format, hasher));
        store.subscribe(verifier.clone());
        verifier
    }

    /// Whether the request with these headers and this target (path and query) may do what needs
    /// `scope`. If so, the key counts as used now, and the answer is what is known of it.
    ///
    /// A `client` that has presented many keys that do not exist is kept waiting for a second
    /// and then refused, unless its key is one that is in memory.
    pub async fn verify(
        &self,
        headers: &impl Headers,
        target: &str,
        scope: Scope,
        client: impl FnOnce() -> Option<IpAddr>,
    ) -> Result<Credential, Refusal> {
        let presented = presented_key(headers, target, &self.format)?;
        let hash = self.hasher.hash(presented);
        let key = match self.cache.get(&hash) {
            Some(key) => key,
            // What is in the cache is well formed; the checksum keeps the rest from the database.
            None if self.format.check(presented).is_err() => return Err(Denial::Invalid.into()),
            // Apart, so that what a look-up needs takes no room in the future of every request.
            None => Box::pin(self.admit(hash, client())).await?,
        };
        let now = self.clock.now();
        let credential = key.credential();
        match evaluate(&credential, &Attempt { scope }, now) {
            Decision::Allow => {
                self.usage.record(&key, now);
                Ok(credential)
            }
            Decision::Deny(denial) => Err(denial.into()),
        }
    }

    /// How keys were used, to be flushed regularly.
    pub fn usage(&self) -> &UsageRecorder {
        &self.usage
    }

    /// What the database knows of a key, if this client may have it asked.
    async fn admit(
        &self,
        hash: KeyHash,
        client: Option<IpAddr>,
    ) -> Result<Arc<CachedKey>, Refusal> {
        if self.strangers.are(&hash) {
            return Err(Denial::Invalid.into());
        }
        if let Some(wait) = client.and_then(|client| self.strangers.wait(client)) {
            tokio::time::sleep(TARPIT).await;
            return Err(Refusal::TooMany(wait));
        }
        if let Some(key) = self.lookup(hash).await? {
            return Ok(key);
        }
        self.strangers.note(hash, client);
        Err(Denial::Invalid.into())
    }

    /// Asks the database, once for all who wait for the same key.
    async fn lookup(&self, hash: KeyHash) -> Result<Found, StorageError> {
        loop {
            let fill = self.cache.begin_fill(hash);
            let found = fill
                .payload()
                .get_or_try_init(async || -> Result<Found, StorageError> {
                    let credential = self.store.lookup_credential(hash).await?;
                    Ok(credential.map(|credential| Arc::new(CachedKey::new(&credential))))
                })
                .await?;
            if fill.land(found.clone()) {
                return Ok(found.clone());
            }
        }
    }
}

impl ChangeListener for Verifier {
    fn keys_changed(&self, keys: &[KeyHash]) {
        for hash in keys {
            self.cache.invalidate(hash);
            self.strangers.forget(hash);
        }
    }
}

type KeyCache = Cache<KeyHash, Arc<CachedKey>, UnitWeighter, Prehashed>;

fn key_cache() -> KeyCache {
    let hasher = Prehashed::default();
    Cache::with(
        CAPACITY,
        CAPACITY as u64,
        UnitWeighter,
        hasher,
        DefaultLifecycle::default(),
    )
}

impl Entries for KeyCache {
    type Value = Arc<CachedKey>;

    fn get(&self, hash: &KeyHash) -> Option<Arc<CachedKey>> {
        self.get(hash)
    }

    fn insert(&self, hash: KeyHash, key: Arc<CachedKey>) {
        self.insert(hash, key);
    }

    fn remove(&self, hash: &KeyHash) {
        self.remove(hash);
    }
}
