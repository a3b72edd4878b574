use std::time::Duration;

use async_trait::async_trait;
use keygate_core::{
    AccountId, ApiKey, Credential, FormId, KeyChanges, KeyId, KeyStatus, Timestamp, key::KeyHash,
};

use crate::{AuditEntry, Made, StorageError};

/// For so long a form makes no second key.
pub const REMEMBER_FORMS: Duration = Duration::from_hours(48);

/// A key to be kept.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The key.
    pub key: ApiKey,
    /// The hash of its secret.
    pub hash: KeyHash,
    /// The form that asks for it.
    pub form: Option<FormId>,
}

/// How many keys an account may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLimits {
    /// Active ones.
    pub active: u32,
    /// All that are not deleted.
    pub total: u32,
}

/// What became of a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertKey {
    /// It is kept.
    Inserted,
    /// The account has all the active keys it may have.
    LimitReached,
    /// The account has all the keys it may have, of whatever state.
    TotalReached,
    /// Nothing is kept: this account's form has made a key already, which may be gone.
    Repeated(KeyId),
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateKey {
    /// It is made.
    Updated,
    /// The account has no such key.
    NotFound,
    /// The key would have been one active key too many.
    LimitReached,
    /// An expired key cannot be switched on.
    Expired,
}

/// Which part of an account's keys to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPage {
    /// In which state.
    pub status: KeyStatus,
    /// Only keys older than this one, which need not exist any more.
    pub before: Option<KeyId>,
    /// At most so many.
    pub limit: u32,
}

impl KeyPage {
    /// An id that those of the page are less than: no key has the last one there is.
    pub fn less_than(&self) -> KeyId {
        self.before.unwrap_or(KeyId::from_bytes([0xff; 16]))
    }
}

/// Whether the secrets in the database can be checked with the hasher in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HasherBinding {
    /// They can.
    Bound,
    /// There are keys that were hashed by the scheme with this fingerprint.
    Mismatch(String),
}

/// Whether the keys in the database begin as those that are issued now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrefixBinding {
    /// They do.
    Bound,
    /// There are keys that begin with this.
    Mismatch(String),
}

/// What the keys that are in a database bind its servers to; nothing, where there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyBindings {
    /// The fingerprint of the scheme by which they were hashed.
    pub fingerprint: Option<String>,
    /// What they begin with.
    pub prefix: Option<String>,
}

impl KeyBindings {
    /// Whether a server whose hasher has this fingerprint can check them.
    pub fn hasher(&self, fingerprint: &str) -> HasherBinding {
        match &self.fingerprint {
            Some(bound) if bound != fingerprint => HasherBinding::Mismatch(bound.clone()),
            _ => HasherBinding::Bound,
        }
    }

    /// Whether a server that issues keys with this prefix knows them as keys.
    pub fn prefix(&self, prefix: &str) -> PrefixBinding {
        match &self.prefix {
            Some(bound) if bound != prefix => PrefixBinding::Mismatch(bound.clone()),
            _ => PrefixBinding::Bound,
        }
    }
}

/// By which rules the last server issued keys; nothing, where there was none that noted it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRules {
    /// What keys begin with.
    pub prefix: Option<String>,
    /// How many active keys an account may have.
    pub max_active: Option<u32>,
    /// How many keys of whatever state an account may have.
    pub max_total: Option<u32>,
}

/// What the data plane asks.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// What deciding about the key with this hash needs to know.
    async fn lookup_credential(&self, hash: KeyHash) -> Result<Option<Credential>, StorageError>;
}

/// API keys.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Keeps a key, unless the account has as many as it may have at `key.created_at`, or its form
    /// has made one within [`REMEMBER_FORMS`].
    async fn insert_key(
        &self,
        key: NewKey,
        limits: KeyLimits,
        audit: AuditEntry,
    ) -> Result<Made<InsertKey>, StorageError>;

    /// Changes a key of this account. Switching it on obeys the limit and the key's expiry as
    /// of `audit.at`.
    async fn update_key(
        &self,
        account_id: AccountId,
        key_id: KeyId,
        changes: KeyChanges,
        max_active: u32,
        audit: AuditEntry,
    ) -> Result<Made<UpdateKey>, StorageError>;

    /// Deletes a key of this account. False if there is none.
    async fn delete_key(
        &self,
        account_id: AccountId,
        key_id: KeyId,
        audit: AuditEntry,
    ) -> Result<Made<bool>, StorageError>;

    /// A key of this account.
    async fn lookup_key(
        &self,
        account_id: AccountId,
        key_id: KeyId,
    ) -> Result<Option<ApiKey>, StorageError>;

    /// Keys of this account, newest first, their state taken at `now`.
    async fn list_keys(
        &self,
        account_id: AccountId,
        page: KeyPage,
        now: Timestamp,
    ) -> Result<Vec<ApiKey>, StorageError>;

    /// Binds the database to the hasher with this fingerprint, if it holds no keys of another.
    async fn bind_hasher(&self, fingerprint: String) -> Result<HasherBinding, StorageError>;

    /// Binds the database to keys that begin with `prefix`, if it holds none that begin otherwise. It
    /// has to be bound to a hasher before.
    async fn bind_prefix(&self, prefix: String) -> Result<PrefixBinding, StorageError>;

    /// Names the database by `drawn`, if it has no name yet: its name. It has to be bound to a hasher before.
    async fn name_installation(&self, drawn: String) -> Result<String, StorageError>;

    /// Notes how many keys an account may have, for commands without the configuration.
    async fn note_limits(&self, limits: KeyLimits) -> Result<(), StorageError>;

    /// By which rules keys were issued last.
    async fn key_rules(&self) -> Result<KeyRules, StorageError>;
}
