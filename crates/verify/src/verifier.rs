use std::{
    net::IpAddr,
    sync::{self, OnceLock},
    time::Duration,
};

use keygate_core::{
    Attempt, Clock, Credential, Decision, Denial, Random, RecorderId, Scope, evaluate,
    key::{KeyFormat, KeyHash, KeyHasher},
};
use keygate_http::Headers;
use keygate_storage::{ChangeListener, CredentialStore, Lease, StorageError, Store};
use prometheus_client::registry::Registry;
use tokio::sync::OnceCell;
use triomphe::Arc;

use crate::{
    Refusal, UsageRecorder,
    bearer::presented_key,
    cache::GuardedCache,
    cached_key::CachedKey,
    generations::Generations,
    metrics::{CacheReading, Metrics},
    strangers::Strangers,
};

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
    cache: GuardedCache<Generations, OnceCell<Found>>,
    usage: UsageRecorder,
    strangers: Strangers,
    lease: sync::Arc<Lease>,
    metrics: OnceLock<Metrics>,
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
            cache: GuardedCache::default(),
            usage: UsageRecorder::new(recorder),
            strangers: Strangers::default(),
            lease: sync::Arc::new(Lease::endless()),
            metrics: OnceLock::new(),
        }
    }

    /// A verifier that hears of each change to this store, and goes by what is in memory as long as
    /// the store's lease holds.
    pub fn subscribed_to(self, store: &dyn Store) -> sync::Arc<Self> {
        let verifier = sync::Arc::new(Self {
            lease: store.lease(),
            ..self
        });
        store.subscribe(verifier.clone());
        verifier
    }

    /// Counts verifications from now on, for whoever reads `registry`.
    pub fn register_metrics(self: &sync::Arc<Self>, registry: &mut Registry) {
        self.metrics.get_or_init(|| Metrics::register(registry));
        let reading = CacheReading(sync::Arc::downgrade(self));
        registry.register_collector(Box::new(reading));
    }

    pub(crate) fn cached_keys(&self) -> &Generations {
        self.cache.entries()
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
        let verified = self.decide(headers, target, scope, client).await;
        if let Some(metrics) = self.metrics.get() {
            metrics.count(&verified);
        }
        verified
    }

    async fn decide(
        &self,
        headers: &impl Headers,
        target: &str,
        scope: Scope,
        client: impl FnOnce() -> Option<IpAddr>,
    ) -> Result<Credential, Refusal> {
        let presented = presented_key(headers, target, &self.format)?;
        let hash = self.hasher.hash(presented);
        // Before the look into memory: what is renewed after it proves nothing about what it found.
        let is_fresh = self.lease.holds();
        let key = match self.cache.get(&hash) {
            Some(key) if is_fresh => {
                self.count_hit();
                key
            }
            // What is in the cache is well formed; the checksum keeps the rest from the database.
            None if self.format.check(presented).is_err() => return Err(Denial::Invalid.into()),
            // Apart, so that what a look-up needs takes no room in the future of every request.
            None => Box::pin(self.admit(hash, client())).await?,
            Some(known) => Box::pin(self.ask_again(hash, known)).await?,
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
            self.count_hit();
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

    /// What the database says now of a key about which something was `known`.
    async fn ask_again(
        &self,
        hash: KeyHash,
        known: Arc<CachedKey>,
    ) -> Result<Arc<CachedKey>, Refusal> {
        if self.stale_age().is_some() {
            self.count_hit();
            return Ok(known);
        }
        match self.lookup(hash).await {
            Ok(found) => found.ok_or(Denial::Invalid.into()),
            Err(error) => {
                // As it is now: it may have been heard of since.
                let known = self.cache.get(&hash).filter(|_| self.lease.may_be_stale());
                known.ok_or(error.into())
            }
        }
    }

    /// Notes that what is in memory was enough.
    fn count_hit(&self) {
        if let Some(metrics) = self.metrics.get() {
            metrics.hits.inc();
        }
    }

    /// How old what is in memory is, where decisions go by it though the store is away.
    pub fn stale_age(&self) -> Option<Duration> {
        self.lease.stale_age()
    }

    /// Asks the database, once for all who wait for the same key.
    async fn lookup(&self, hash: KeyHash) -> Result<Found, StorageError> {
        if let Some(metrics) = self.metrics.get() {
            metrics.misses.inc();
        }
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

    fn everything_changed(&self) {
        self.cache.invalidate_all();
        self.strangers.forget_all();
    }
}
