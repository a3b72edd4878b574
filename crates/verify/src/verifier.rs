mod held_key;

use std::{net::IpAddr, sync, time::Duration};

use keygate_core::{
    Attempt, Clock, Credential, Decision, Denial, Random, RecorderId, Scope, Timestamp, evaluate,
    key::{KeyFormat, KeyHash, KeyHasher},
};
use keygate_http::Headers;
use keygate_storage::{ChangeListener, CredentialStore, Lease, StorageError, Store};
use tokio::{
    sync::{OnceCell, watch},
    time::{Instant, timeout_at},
};
use triomphe::Arc;

use crate::{
    Refusal, UsageRecorder,
    answers::{Answers, Found},
    cache::{GuardedCache, Known},
    cached_key::CachedKey,
    client_throttle::ClientThrottle,
    credentials::presented_key,
    generations::Generations,
    metrics::Metrics,
};

pub use held_key::HeldKey;

/// What a fill has read, or why it could not: everybody who waits for it gets the same.
type Read = Result<Found, StorageError>;

/// Checks the keys that requests present.
///
/// It must be told about each change to the store that it reads, as with [`Verifier::subscribed_to`]:
/// otherwise it keeps using old data.
pub struct Verifier {
    store: sync::Arc<dyn CredentialStore>,
    clock: sync::Arc<dyn Clock>,
    format: KeyFormat,
    hasher: KeyHasher,
    cache: GuardedCache<Answers, OnceCell<Read>>,
    usage: UsageRecorder,
    throttle: ClientThrottle,
    /// Changes with everything that is no longer as it was read.
    changes: watch::Sender<()>,
    pub(crate) metrics: Metrics,
}

/// A decision about a key, with the time by which it was made.
type Judged = Result<(Credential, Timestamp), Denial>;

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
            cache: GuardedCache::new(sync::Arc::new(Lease::endless())),
            usage: UsageRecorder::new(recorder),
            throttle: ClientThrottle::default(),
            changes: watch::Sender::new(()),
            metrics: Metrics::default(),
        }
    }

    /// The same verifier, told about each change to this store, which uses its memory as long as
    /// the store's lease holds.
    pub fn subscribed_to(self, store: &dyn Store) -> sync::Arc<Self> {
        let verifier = sync::Arc::new(self.under(store.lease()));
        store.subscribe(verifier.clone());
        verifier
    }

    /// The same verifier, which uses what it has read as long as this lease covers it.
    #[must_use]
    pub fn under(self, lease: sync::Arc<Lease>) -> Self {
        Self {
            cache: GuardedCache::new(lease),
            ..self
        }
    }

    pub(crate) fn cached_keys(&self) -> &Generations {
        self.cache.entries().keys()
    }

    /// Whether the request with these headers and this target (path and query) may do what needs
    /// `scope`. If so, the key counts as used now, and the answer is what is known of it.
    ///
    /// A `client` that has presented many keys that do not exist is refused, unless its key is one that is in
    /// memory. The refusal has to be delayed: [`delay_of`](keygate_http::delay_of) says for how long.
    pub async fn verify(
        &self,
        headers: &impl Headers,
        target: &str,
        scope: Scope,
        client: impl FnOnce() -> Option<IpAddr>,
    ) -> Result<Credential, Refusal> {
        let verified = self.decide(headers, target, scope, client).await;
        self.metrics.count(&verified);
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
        if let Some(decided) = self.decide_from_memory(&hash, scope) {
            return decided;
        }
        // The checksum keeps what is no key from the database.
        if self.format.check(presented).is_err() {
            return Err(Denial::Invalid.into());
        }
        // Apart, so that what a look-up needs takes no room in the future of every request.
        Box::pin(self.decide_anew(hash, scope, client())).await
    }

    /// Decides about a key that was accepted before.
    async fn decide_again(&self, hash: KeyHash, scope: Scope) -> Result<Credential, Refusal> {
        if let Some(decided) = self.decide_from_memory(&hash, scope) {
            return decided;
        }
        self.decide_anew(hash, scope, None).await
    }

    /// Decides by what is in memory, if that may be used.
    fn decide_from_memory(
        &self,
        hash: &KeyHash,
        scope: Scope,
    ) -> Option<Result<Credential, Refusal>> {
        let (known, decided) = self.judge_from_memory(hash, scope)?;
        self.count_hit();
        Some(self.act_on(&known.value, decided))
    }

    /// The same without side effects.
    fn judge_from_memory(&self, hash: &KeyHash, scope: Scope) -> Option<(Known<Found>, Judged)> {
        let known = self.cache.get(hash)?;
        let decided = self.judge(&known.value, scope);
        // After the decision, since the process may have been paused anywhere before.
        self.lease().covers(known.as_of).then_some(())?;
        Some((known, decided))
    }

    /// Decides by asking the database.
    async fn decide_anew(
        &self,
        hash: KeyHash,
        scope: Scope,
        client: Option<IpAddr>,
    ) -> Result<Credential, Refusal> {
        let patience = self.lease().patience();
        let deadline = patience.map(|patience| Instant::now() + patience);
        if self.stale_age().is_some()
            && let Some(known) = self.cache.get(&hash)
        {
            self.count_hit();
            return self.decide_by_stale(&known, scope);
        }
        if let Some(wait) = self.throttled(&hash, client) {
            return Err(Refusal::TooMany(wait));
        }
        loop {
            let known = match self.lookup(hash, client, deadline).await {
                Ok(known) => known,
                // As it is now: it may have been heard of since.
                Err(error) => match self.cache.get(&hash) {
                    Some(known) if self.lease().may_be_stale(known.as_of) => {
                        return self.decide_by_stale(&known, scope);
                    }
                    _ => return Err(error.into()),
                },
            };
            let decided = self.judge(&known.value, scope);
            if self.lease().covers(known.as_of) {
                return self.act_on(&known.value, decided);
            }
        }
    }

    /// Decides by data that may be out of date, if the operator prefers that to a refusal.
    fn decide_by_stale(&self, known: &Known<Found>, scope: Scope) -> Result<Credential, Refusal> {
        self.act_on(&known.value, self.judge(&known.value, scope))
    }

    /// Evaluates a key without side effects, so that the decision can be thrown away if it turns out
    /// to be based on data that is too old.
    fn judge(&self, found: &Found, scope: Scope) -> Judged {
        let credential = found.as_ref().ok_or(Denial::Invalid)?.credential();
        let now = self.clock.now();
        match evaluate(&credential, &Attempt { scope }, now) {
            Decision::Allow => Ok((credential, now)),
            Decision::Deny(denial) => Err(denial),
        }
    }

    /// Returns the decision. A key that was accepted counts as used.
    fn act_on(&self, found: &Found, decided: Judged) -> Result<Credential, Refusal> {
        let (credential, now) = decided?;
        if let Some(key) = found {
            self.usage.record(key, now);
        }
        Ok(credential)
    }

    /// How keys were used, to be flushed regularly.
    pub fn usage(&self) -> &UsageRecorder {
        &self.usage
    }

    /// How long this client has to wait, having presented too many keys that do not exist, if this may
    /// be another one.
    fn throttled(&self, hash: &KeyHash, client: Option<IpAddr>) -> Option<Duration> {
        if self
            .cache
            .get(hash)
            .is_some_and(|known| known.value.is_some())
        {
            return None;
        }
        self.throttle.wait(client?)
    }

    fn lease(&self) -> &Lease {
        self.cache.lease()
    }

    /// Counts a decision that needed only memory.
    fn count_hit(&self) {
        self.metrics.hits.inc();
    }

    /// The age of the data in memory, if decisions use it although the store is unavailable.
    pub fn stale_age(&self) -> Option<Duration> {
        self.lease().stale_age()
    }

    /// Asks the database, once for all who wait for the same key; again where the answer is out of
    /// date when it comes, and no longer than until the deadline.
    async fn lookup(
        &self,
        hash: KeyHash,
        client: Option<IpAddr>,
        deadline: Option<Instant>,
    ) -> Result<Known<Found>, StorageError> {
        self.metrics.misses.inc();
        loop {
            let fill = self.cache.begin_fill(hash);
            let read = fill.payload().get_or_init(|| self.read(hash));
            let found = match by(deadline, read).await? {
                Ok(found) => found,
                Err(error) => {
                    fill.fail();
                    return Err(error.clone());
                }
            };
            if let Some(landed) = fill.land(found) {
                // Of many who wait for the same look-up, one counts.
                if landed.is_first && found.is_none() {
                    client.inspect(|client| self.throttle.note(*client));
                }
                return Ok(landed.known);
            }
            // A pause can end after the deadline with an answer that is there, and too old.
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Err(too_late());
            }
        }
    }

    async fn read(&self, hash: KeyHash) -> Read {
        let credential = self.store.lookup_credential(hash).await?;
        Ok(credential.map(|credential| Arc::new(CachedKey::new(&credential))))
    }
}

/// Waits until the deadline, if there is one.
async fn by<T>(
    deadline: Option<Instant>,
    work: impl Future<Output = T>,
) -> Result<T, StorageError> {
    match deadline {
        Some(deadline) => timeout_at(deadline, work).await.map_err(|_| too_late()),
        None => Ok(work.await),
    }
}

fn too_late() -> StorageError {
    StorageError::unavailable("no answer within storage.lease")
}

impl ChangeListener for Verifier {
    fn keys_changed(&self, keys: &[KeyHash]) {
        for hash in keys {
            self.cache.invalidate(hash);
        }
        self.changes.send_replace(());
    }

    fn everything_changed(&self) {
        self.cache.invalidate_all();
        self.changes.send_replace(());
    }
}
