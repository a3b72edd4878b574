//! The verifier over a real store.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response,
    header::{AUTHORIZATION, PROXY_AUTHORIZATION},
};
use keygate_core::{
    AccountId, ApiKey, Clock, Credential, Denial, EmailAddress, KeyDetails, KeyId, ManualClock,
    OsRandom, Role, Scope, Timestamp,
    key::{KeyFormat, KeyHash, KeyHasher, KeyName, KeySecret},
};
use keygate_http::delay_of;
use keygate_storage::{
    AccountStore, Action, Actor, Admission, AuditEntry, CredentialStore, InsertAccount, InsertKey,
    KeyChanges, KeyLimits, KeyStore, NewAccount, NewKey, StorageError, Store, UpdateKey,
    UsageFlush, UsageStore,
};
use keygate_storage_sqlite::SqliteStore;
use keygate_verify::{
    Refusal, RequireScope, Verifier, credential_headers, is_credential_header, refusal_response,
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tower::{Layer, Service, service_fn};

const START: Timestamp = Timestamp::from_millis(1_781_078_400_000);

/// A real store that counts look-ups and can hold them back.
struct Watched {
    store: SqliteStore,
    lookups: AtomicUsize,
    gate: Semaphore,
}

#[async_trait]
impl CredentialStore for Watched {
    async fn lookup_credential(&self, hash: KeyHash) -> Result<Option<Credential>, StorageError> {
        let found = self.store.lookup_credential(hash).await;
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let _passed = self.gate.acquire().await.expect("not closed");
        found
    }
}

struct World {
    store: Arc<Watched>,
    verifier: Arc<Verifier>,
    clock: Arc<ManualClock>,
    account_id: AccountId,
    _folder: TempDir,
}

fn entry(action: Action) -> AuditEntry {
    AuditEntry {
        at: START,
        actor: Actor::Operator,
        action,
        account_id: None,
        subject_id: None,
        detail: None,
    }
}

impl World {
    async fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let store = Arc::new(Watched {
            store: keygate_storage_sqlite::open(&folder.path().join("keygate.db")).expect("opens"),
            lookups: 0.into(),
            gate: Semaphore::new(1_000),
        });
        let clock = Arc::new(ManualClock::at(START));
        let verifier = Arc::new(Verifier::new(
            store.clone(),
            clock.clone(),
            &OsRandom,
            KeyFormat::default(),
            KeyHasher::default(),
        ));
        store.store.subscribe(verifier.clone());
        let account = NewAccount {
            id: AccountId::generate(START, &OsRandom),
            email: EmailAddress::parse("ada@example.com").expect("an address"),
            password_hash: "hash".into(),
            role: Role::Member,
            created_at: START,
        };
        let account_id = account.id;
        let inserted = store.store.insert_account(
            account,
            Admission::Free,
            None,
            entry(Action::AccountCreate),
        );
        let inserted = inserted.await.expect("answers");
        assert_eq!(inserted, Ok(InsertAccount::Inserted));
        Self {
            store,
            verifier,
            clock,
            account_id,
            _folder: folder,
        }
    }

    async fn issue(&self, expires_at: Option<Timestamp>) -> (KeyId, KeySecret) {
        let format = KeyFormat::default();
        let secret = format.generate(&OsRandom);
        let key = ApiKey {
            id: KeyId::generate(self.clock.now(), &OsRandom),
            account_id: self.account_id,
            details: KeyDetails {
                expires_at,
                ..KeyDetails::named(KeyName::parse("a key").expect("a name"))
            },
            key_prefix: format.shown_prefix(&secret),
            last_used_at: None,
            request_count: 0,
            is_active: true,
            created_at: self.clock.now(),
        };
        let id = key.id;
        let hash = KeyHasher::default().hash(secret.expose());
        let new = NewKey {
            key,
            hash,
            form: None,
        };
        let limits = KeyLimits {
            active: 10,
            total: 10,
        };
        let inserted = self
            .store
            .store
            .insert_key(new, limits, entry(Action::KeyIssue));
        assert_eq!(inserted.await.expect("answers"), Ok(InsertKey::Inserted));
        (id, secret)
    }

    async fn switch(&self, id: KeyId, on: bool) {
        let changes = KeyChanges {
            is_active: Some(on),
            ..KeyChanges::default()
        };
        let audit = entry(Action::KeyUpdate);
        let updated = self
            .store
            .store
            .update_key(self.account_id, id, changes, 10, audit);
        assert_eq!(updated.await.expect("answers"), Ok(UpdateKey::Updated));
    }

    async fn verify(&self, secret: &KeySecret) -> Result<KeyId, Denial> {
        verify(&self.verifier, secret).await
    }

    /// How often a key was used, and when last, in milliseconds since the start.
    async fn used(&self, id: KeyId) -> (u64, i64) {
        let found = self.store.store.lookup_key(self.account_id, id).await;
        let key = found.expect("answers").expect("it is there");
        let last = key.last_used_at.expect("it was used");
        (key.request_count, last.as_millis() - START.as_millis())
    }

    fn lookups(&self) -> usize {
        self.store.lookups.load(Ordering::SeqCst)
    }
}

async fn verify(verifier: &Verifier, secret: &KeySecret) -> Result<KeyId, Denial> {
    verify_text(verifier, secret.expose()).await
}

async fn verify_text(verifier: &Verifier, key: &str) -> Result<KeyId, Denial> {
    let mut headers = HeaderMap::new();
    let value = format!("Bearer {key}");
    let value = HeaderValue::from_str(&value).expect("a header value");
    headers.insert(AUTHORIZATION, value);
    match verifier
        .verify(&headers, "/v1/models", Scope::Read, || None)
        .await
    {
        Ok(key) => Ok(key.key_id),
        Err(Refusal::Denied(denial)) => Err(denial),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_known_key_needs_no_database() {
    let world = World::new().await;
    let (id, secret) = world.issue(None).await;
    for _ in 0..10 {
        assert_eq!(world.verify(&secret).await, Ok(id));
    }
    assert_eq!(world.lookups(), 1);
}

#[tokio::test]
async fn one_look_up_serves_all_who_wait_for_it() {
    let world = World::new().await;
    let (id, secret) = world.issue(None).await;
    let held = world.store.gate.acquire_many(1_000).await.expect("open");
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let (verifier, secret) = (world.verifier.clone(), secret.clone());
            tokio::spawn(async move { verify(&verifier, &secret).await })
        })
        .collect();
    while world.lookups() == 0 {
        tokio::task::yield_now().await;
    }
    drop(held);
    for verified in waiting {
        assert_eq!(verified.await.expect("no panic"), Ok(id));
    }
    assert_eq!(world.lookups(), 1);
}

#[tokio::test]
async fn a_look_up_that_began_before_a_revocation_does_not_outlive_it() {
    let world = World::new().await;
    let (id, secret) = world.issue(None).await;
    let held = world.store.gate.acquire_many(1_000).await.expect("open");
    let early = {
        let (verifier, secret) = (world.verifier.clone(), secret.clone());
        tokio::spawn(async move { verify(&verifier, &secret).await })
    };
    // The early look-up has read the key as active, and is held back.
    while world.lookups() == 0 {
        tokio::task::yield_now().await;
    }
    world.switch(id, false).await;
    drop(held);
    assert_eq!(early.await.expect("no panic"), Err(Denial::Revoked));
    assert_eq!(world.verify(&secret).await, Err(Denial::Revoked));
}

#[tokio::test]
async fn a_look_up_that_is_given_up_leaves_nothing_behind() {
    let world = World::new().await;
    let (id, secret) = world.issue(None).await;
    let held = world.store.gate.acquire_many(1_000).await.expect("open");
    let abandoned = {
        let (verifier, secret) = (world.verifier.clone(), secret.clone());
        tokio::spawn(async move { verify(&verifier, &secret).await })
    };
    while world.lookups() == 0 {
        tokio::task::yield_now().await;
    }
    abandoned.abort();
    assert!(abandoned.await.expect_err("it was aborted").is_cancelled());
    drop(held);
    assert_eq!(world.verify(&secret).await, Ok(id));
    assert_eq!(world.lookups(), 2);
}

#[tokio::test]
async fn a_cached_key_expires_to_the_millisecond() {
    let world = World::new().await;
    let ends = Timestamp::from_millis(START.as_millis() + 100);
    let (id, secret) = world.issue(Some(ends)).await;
    assert_eq!(world.verify(&secret).await, Ok(id));
    world.clock.advance_millis(99);
    assert_eq!(world.verify(&secret).await, Ok(id));
    world.clock.advance_millis(1);
    assert_eq!(world.verify(&secret).await, Err(Denial::Expired));
    world.clock.advance_millis(-1);
    assert_eq!(world.verify(&secret).await, Ok(id));
}

#[tokio::test]
async fn suspending_the_account_shuts_a_cached_key() {
    let world = World::new().await;
    let (id, secret) = world.issue(None).await;
    assert_eq!(world.verify(&secret).await, Ok(id));
    let accounts = &world.store.store;
    let suspended = accounts.suspend_account(world.account_id, entry(Action::AccountSuspend));
    let suspended = suspended.await.expect("answers");
    assert_eq!(suspended, Ok(keygate_storage::ChangeAccount::Changed));
    assert_eq!(world.verify(&secret).await, Err(Denial::AccountSuspended));
}

#[tokio::test]
async fn a_never_issued_key_is_invalid() {
    let world = World::new().await;
    let stranger = KeyFormat::default().generate(&OsRandom);
    assert_eq!(world.verify(&stranger).await, Err(Denial::Invalid));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_tries_many_keys_no_longer_reaches_the_store() {
    let world = World::new().await;
    let (id, known) = world.issue(None).await;
    let (_, unknown) = world.issue(None).await;
    assert_eq!(world.verify(&known).await, Ok(id));
    let attempt = async |secret: &KeySecret, client: [u8; 4]| {
        let value = format!("Bearer {}", secret.expose());
        let value = HeaderValue::from_str(&value).expect("a header value");
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        let client = || Some(client.into());
        let verified = world
            .verifier
            .verify(&headers, "/v1/models", Scope::Read, client);
        verified.await
    };
    let (attacker, other) = ([192, 0, 2, 1], [192, 0, 2, 2]);
    for _ in 0..1_001 {
        let stranger = KeyFormat::default().generate(&OsRandom);
        let refusal = attempt(&stranger, attacker).await;
        assert!(matches!(refusal, Err(Refusal::Denied(Denial::Invalid))));
    }
    let lookups = world.lookups();
    let refusal = attempt(&unknown, attacker).await;
    let refusal = refusal.expect_err("it has tried enough");
    assert!(matches!(refusal, Refusal::TooMany(_)));
    let answer = refusal_response::<Bytes>(&refusal);
    assert_eq!(delay_of(&answer), Some(Duration::from_secs(1)));
    let verified = attempt(&known, attacker).await;
    verified.expect("what is in memory is not limited");
    assert_eq!(world.lookups(), lookups);
    let verified = attempt(&unknown, other).await;
    verified.expect("others are not limited");
}

#[tokio::test]
async fn a_key_that_does_not_exist_is_looked_up_once() {
    let world = World::new().await;
    let stranger = KeyFormat::default().generate(&OsRandom);
    for _ in 0..10 {
        assert_eq!(world.verify(&stranger).await, Err(Denial::Invalid));
    }
    assert_eq!(world.lookups(), 1);
}

#[tokio::test]
async fn a_key_with_a_wrong_checksum_never_reaches_the_store() {
    let world = World::new().await;
    let (id, secret) = world.issue(None).await;
    assert_eq!(world.verify(&secret).await, Ok(id));
    let lookups = world.lookups();
    let text = secret.expose();
    for position in 4..36 {
        let mut mistyped = text.as_bytes().to_vec();
        mistyped[position] = if mistyped[position] == b'0' {
            b'1'
        } else {
            b'0'
        };
        let mistyped = String::from_utf8(mistyped).expect("ASCII");
        assert_eq!(
            verify_text(&world.verifier, &mistyped).await,
            Err(Denial::Invalid)
        );
    }
    assert_eq!(world.lookups(), lookups);
}

/// A real store whose answers to flushes get lost while told so.
struct Ledger {
    store: Arc<Watched>,
    silent: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl UsageStore for Ledger {
    async fn record_uses(&self, flush: Arc<UsageFlush>) -> Result<(), StorageError> {
        self.store.store.record_uses(flush).await?;
        if self.silent.load(Ordering::SeqCst) {
            return Err(StorageError::Closed);
        }
        Ok(())
    }
}

#[tokio::test]
async fn each_use_counts_once_though_answers_get_lost() {
    let world = World::new().await;
    let (id, secret) = world.issue(None).await;
    let ledger = Ledger {
        store: world.store.clone(),
        silent: true.into(),
    };
    let usage = world.verifier.usage();
    for _ in 0..1_000 {
        world.verify(&secret).await.expect("accepted");
    }
    usage.flush(&ledger).await.expect_err("the answer is lost");
    world.clock.advance_millis(7);
    world.verify(&secret).await.expect("accepted");
    usage.flush(&ledger).await.expect_err("the answer is lost");
    assert_eq!(world.used(id).await, (1_000, 0));
    ledger.silent.store(false, Ordering::SeqCst);
    usage.flush(&ledger).await.expect("answered");
    assert_eq!(world.used(id).await, (1_001, 7));
    // What is known of the key is read anew; what was noted before is not lost by that.
    world.verify(&secret).await.expect("accepted");
    world.switch(id, true).await;
    world.clock.advance_millis(1);
    world.verify(&secret).await.expect("accepted");
    usage.flush(&ledger).await.expect("answered");
    assert_eq!(world.used(id).await, (1_003, 8));
    usage.flush(&ledger).await.expect("answered");
    assert_eq!(world.used(id).await, (1_003, 8));
}

#[tokio::test]
async fn metrics_say_how_keys_were_decided_about() {
    let world = World::new().await;
    let (id, secret) = world.issue(None).await;
    world.verify(&secret).await.expect("before anybody looks");
    let mut registry = Registry::default();
    world.verifier.register_metrics(&mut registry);
    let (_, other) = world.issue(None).await;
    for secret in [&secret, &other, &other] {
        world.verify(secret).await.expect("accepted");
    }
    world.switch(id, false).await;
    world.verify(&secret).await.expect_err("off");
    let stranger = KeyFormat::default().generate(&OsRandom);
    for _ in 0..2 {
        world.verify(&stranger).await.expect_err("never issued");
    }
    verify_text(&world.verifier, "none")
        .await
        .expect_err("no key");
    let mut text = String::new();
    encode(&mut text, &registry).expect("memory is there");
    for (name, expected) in [
        ("verifications_total{outcome=\"allowed\"}", 4),
        ("verifications_total{outcome=\"revoked\"}", 1),
        ("verifications_total{outcome=\"invalid\"}", 3),
        ("verifications_total{outcome=\"missing\"}", 0),
        ("cache_hits_total", 3),
        ("cache_misses_total", 4),
        ("cache_entries", 2),
        ("cache_evictions_total", 0),
    ] {
        let line = format!("\n{name} {expected}\n");
        assert!(text.contains(&line), "{line} in {text}");
    }
}

/// A key, what stands beside it in another header, and whether a request with both is let in.
fn presented<'a>(key: &'a str, another: &'a str) -> [(Vec<&'a str>, Option<&'a str>, bool); 9] {
    const FOREIGN: &str = "sk-ant-somebody-elses";
    [
        (vec![key], None, true),
        (vec![""], None, false),
        (vec![""], Some(key), true),
        (vec![key, key], None, false),
        (vec![key, another], None, false),
        (vec![key], Some(key), true),
        (vec![key], Some(another), false),
        (vec![FOREIGN], None, false),
        (vec![FOREIGN], Some(key), true),
    ]
}

#[tokio::test]
async fn the_layer_takes_keys_from_every_header_and_passes_none_on() {
    let world = World::new().await;
    let (id, key) = world.issue(None).await;
    let (_, another) = world.issue(None).await;
    let layer = RequireScope::new(world.verifier.clone(), Scope::Read);
    let inner = service_fn(async |request: Request<()>| {
        let left = request.headers().keys();
        assert!(
            !left
                .into_iter()
                .any(|name| is_credential_header(name.as_str().as_bytes()))
        );
        let credential: &Credential = request.extensions().get().expect("the key's");
        let id = credential.key_id.to_string();
        Ok::<_, Infallible>(Response::new(Bytes::from(id)))
    });
    let names: Vec<HeaderName> = credential_headers().collect();
    let names = names.iter().filter(|name| *name != PROXY_AUTHORIZATION);
    for here in names.clone() {
        for there in names.clone().filter(|there| *there != here) {
            for (values, beside, is_let_in) in presented(key.expose(), another.expose()) {
                let mut request = Request::new(());
                let mut add = |name: &HeaderName, credential: &str| {
                    let is_bearer = name == AUTHORIZATION && !credential.is_empty();
                    let scheme = if is_bearer { "Bearer " } else { "" };
                    let value = format!("{scheme}{credential}").parse().expect("plain");
                    request.headers_mut().append(name.clone(), value);
                };
                for value in &values {
                    add(here, value);
                }
                if let Some(value) = beside {
                    add(there, value);
                }
                let answer = layer.layer(inner).call(request).await.expect("an answer");
                let case = format!("{here}: {values:?}, {there}: {beside:?}");
                if is_let_in {
                    assert_eq!(answer.status(), 200, "{case}");
                    assert_eq!(answer.body(), &id.to_string(), "{case}");
                } else {
                    assert_eq!(answer.status(), 401, "{case}");
                }
            }
        }
    }
}
