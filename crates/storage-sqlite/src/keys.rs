use async_trait::async_trait;
use keygate_core::{
    AccountId, ApiKey, Credential, FormId, KeyId, KeyState, Timestamp,
    key::{KeyHash, KeyName},
};
use keygate_storage::{
    AuditEntry, Columns, CredentialStore, HasherBinding, InsertKey, KeyBindings, KeyChanges,
    KeyLimits, KeyPage, KeyRules, KeyStatus, KeyStore, NewKey, Operation, PrefixBinding,
    StorageError, UpdateKey, prefix_of_shown, statements,
};
use rusqlite::{Connection, ToSql, params};

use crate::{SqliteStore, migrations, query};

/// The schema version since which it is noted what keys begin with.
const NOTES_RULES: i64 = 5;

/// The keys that are active at `?2`: the same rule as [`KeyState::of`], held to it by the suite.
macro_rules! active {
    () => {
        "(is_active = 1 AND (expires_at IS NULL OR expires_at > ?2))"
    };
}

/// Keys with what their uses add up to. A part of it may have been counted in the keys themselves, by
/// the version before.
macro_rules! keys {
    ($condition:expr) => {
        keys!("", $condition)
    };
    ($index:literal, $condition:expr) => {
        concat!(
            "SELECT k.id, k.account_id, k.hash, k.name, k.key_prefix, k.scopes, k.expires_at, \
             k.is_active, k.created_at, \
             max(coalesce(k.last_used_at, u.last_used_at), \
                 coalesce(u.last_used_at, k.last_used_at)) AS last_used_at, \
             k.request_count + coalesce(u.request_count, 0) AS request_count \
             FROM api_keys AS k ",
            $index,
            " LEFT JOIN key_uses AS u ON u.key_id = k.id WHERE ",
            $condition
        )
    };
}

/// A page of keys in their order: what it skips is bounded by the limit on active keys.
macro_rules! page {
    ($index:literal, $condition:literal) => {
        keys!(
            $index,
            concat!(
                "account_id = ?1 AND ",
                $condition,
                " AND id < ?2 ORDER BY id DESC LIMIT ?3"
            )
        )
    };
}

statements! {
    /// However many there are, no more are counted than are allowed.
    COUNT_ACTIVE = concat!(
        "SELECT count(*) AS active FROM (SELECT 1 FROM api_keys WHERE account_id = ?1 AND ",
        active!(), " AND id <> ?3 LIMIT ?4)"
    );
    /// All that there are, which are not many; among any number of those that have expired.
    LIST_ACTIVE = keys!(
        "id IN (SELECT id FROM api_keys INDEXED BY api_keys_active \
            WHERE account_id = ?1 AND is_active = 1 AND expires_at IS NULL \
            UNION ALL SELECT id FROM api_keys INDEXED BY api_keys_active \
            WHERE account_id = ?1 AND is_active = 1 AND expires_at > ?4) \
         AND id < ?2 ORDER BY id DESC LIMIT ?3"
    );
    LIST_INACTIVE = page!("INDEXED BY api_keys_off", "is_active = 0");
    LIST_EXPIRED = page!("INDEXED BY api_keys_on", "is_active = 1 AND expires_at <= ?4");
    LIST_ALL = page!("INDEXED BY api_keys_by_account", "TRUE");
    /// Like the active ones, no more than are allowed.
    COUNT_ALL = "SELECT count(*) AS keys FROM \
        (SELECT 1 FROM api_keys WHERE account_id = ?1 LIMIT ?2)";
    FINGERPRINT = "SELECT fingerprint FROM hasher";
    BIND_HASHER = "INSERT INTO hasher (only, fingerprint) VALUES (1, ?) \
        ON CONFLICT (only) DO UPDATE SET fingerprint = excluded.fingerprint";
    RULES = "SELECT key_prefix, max_active, max_total FROM hasher";
    ANY_PREFIX = "SELECT key_prefix FROM api_keys LIMIT 1";
    INSTALLATION = "SELECT installation FROM hasher";
    NAME_INSTALLATION = "UPDATE hasher SET installation = coalesce(installation, ?)";
    BIND_PREFIX = "UPDATE hasher SET key_prefix = ?";
    NOTE_LIMITS = "UPDATE hasher SET max_active = ?1, max_total = ?2";
    INSERT = "INSERT INTO api_keys \
        (id, account_id, hash, name, key_prefix, scopes, expires_at, is_active, created_at) \
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    LOOKUP_FORM = "SELECT key_id FROM key_forms WHERE account_id = ? AND form_id = ?";
    REMEMBER_FORM = "INSERT INTO key_forms (account_id, form_id, key_id, sent_at) VALUES (?, ?, ?, ?)";
    LOOKUP = keys!("account_id = ? AND id = ?");
    UPDATE = "UPDATE api_keys SET name = coalesce(?3, name), \
        scopes = coalesce(?4, scopes), is_active = coalesce(?5, is_active) \
        WHERE account_id = ?1 AND id = ?2";
    DELETE = "DELETE FROM api_keys WHERE account_id = ? AND id = ?";
    CREDENTIAL = "SELECT api_keys.id, account_id, scopes, expires_at, is_active, \
        accounts.suspended_at FROM api_keys JOIN accounts ON accounts.id = account_id WHERE hash = ?";
}

fn lookup(
    db: &Connection,
    account_id: AccountId,
    key_id: KeyId,
) -> Result<Option<(ApiKey, KeyHash)>, StorageError> {
    let ids = params![account_id.as_bytes(), key_id.as_bytes()];
    query::optional(db, LOOKUP, ids, |row| {
        Ok((row.api_key()?, row.key_hash("hash")?))
    })
}

fn key_rules(db: &Connection) -> Result<KeyRules, StorageError> {
    let rules = query::optional(db, RULES, [], |row| row.key_rules())?;
    Ok(rules.unwrap_or_default())
}

fn fingerprint(db: &Connection) -> Result<Option<String>, StorageError> {
    query::optional(db, FINGERPRINT, [], |row| row.some_text("fingerprint"))
}

fn installation(db: &Connection) -> Result<Option<String>, StorageError> {
    let name = query::optional(db, INSTALLATION, [], |row| row.text("installation"))?;
    Ok(name.flatten())
}

/// What the keys bind a server to, in a schema of this version.
pub(crate) fn bindings(db: &Connection, version: i64) -> Result<KeyBindings, StorageError> {
    let shown: Option<String> =
        query::optional(db, ANY_PREFIX, [], |row| row.some_text("key_prefix"))?;
    let Some(shown) = shown else {
        return Ok(KeyBindings::default());
    };
    let noted = if version < NOTES_RULES {
        None
    } else {
        key_rules(db)?.prefix
    };
    Ok(KeyBindings {
        fingerprint: fingerprint(db)?,
        prefix: Some(noted.unwrap_or_else(|| prefix_of_shown(&shown).to_owned())),
    })
}

/// Whether the account has a place for `key_id` among its active keys.
fn has_place(
    db: &Connection,
    account_id: AccountId,
    key_id: KeyId,
    max_active: u32,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let params = params![
        account_id.as_bytes(),
        now.as_millis(),
        key_id.as_bytes(),
        max_active,
    ];
    let active = query::optional(db, COUNT_ACTIVE, params, |row| row.count("active"))?;
    Ok(active.unwrap_or(0) < u64::from(max_active))
}

fn has_total_place(
    db: &Connection,
    account_id: AccountId,
    max_total: u32,
) -> Result<bool, StorageError> {
    let params = params![account_id.as_bytes(), max_total];
    let keys = query::optional(db, COUNT_ALL, params, |row| row.count("keys"))?;
    Ok(keys.unwrap_or(0) < u64::from(max_total))
}

/// The key that a form has made before.
fn earlier_key(
    db: &Connection,
    key: &ApiKey,
    form: Option<FormId>,
) -> Result<Option<KeyId>, StorageError> {
    let Some(form) = form else { return Ok(None) };
    let ids = [key.account_id.as_bytes(), form.as_bytes()];
    query::optional(db, LOOKUP_FORM, ids, |row| row.key_id("key_id"))
}

fn remember_form(db: &Connection, key: &ApiKey, form: FormId) -> Result<(), StorageError> {
    let now = key.created_at;
    let row = params![
        key.account_id.as_bytes(),
        form.as_bytes(),
        key.id.as_bytes(),
        now.as_millis(),
    ];
    query::execute(db, REMEMBER_FORM, row).map(|_| ())
}

pub(crate) fn lookup_credential(
    db: &Connection,
    hash: KeyHash,
) -> Result<Option<Credential>, StorageError> {
    query::optional(db, CREDENTIAL, [hash.as_bytes()], |row| row.credential())
}

#[async_trait]
impl CredentialStore for SqliteStore {
    async fn lookup_credential(&self, hash: KeyHash) -> Result<Option<Credential>, StorageError> {
        let found = self.lookups.credential(hash);
        self.latencies.time(Operation::Lookup, found).await
    }
}

#[async_trait]
impl KeyStore for SqliteStore {
    async fn insert_key(
        &self,
        NewKey { key, hash, form }: NewKey,
        limits: KeyLimits,
        audit: AuditEntry,
    ) -> Result<InsertKey, StorageError> {
        self.write(move |db| {
            if let Some(earlier) = earlier_key(db, &key, form)? {
                return Ok(InsertKey::Repeated(earlier));
            }
            if !has_place(db, key.account_id, key.id, limits.active, key.created_at)? {
                return Ok(InsertKey::LimitReached);
            }
            if !has_total_place(db, key.account_id, limits.total)? {
                return Ok(InsertKey::TotalReached);
            }
            let row = params![
                key.id.as_bytes(),
                key.account_id.as_bytes(),
                hash.as_bytes(),
                key.name.as_str(),
                key.key_prefix,
                key.scopes.bits(),
                key.expires_at.map(Timestamp::as_millis),
                key.is_active,
                key.created_at.as_millis(),
            ];
            query::execute(db, INSERT, row)?;
            if let Some(form) = form {
                remember_form(db, &key, form)?;
            }
            db.key_changed(hash);
            db.audit(&audit)?;
            Ok(InsertKey::Inserted)
        })
        .await
    }

    async fn update_key(
        &self,
        account_id: AccountId,
        key_id: KeyId,
        changes: KeyChanges,
        max_active: u32,
        audit: AuditEntry,
    ) -> Result<UpdateKey, StorageError> {
        self.write(move |db| {
            let Some((key, hash)) = lookup(db, account_id, key_id)? else {
                return Ok(UpdateKey::NotFound);
            };
            if changes.is_active == Some(true) {
                if KeyState::of(true, key.expires_at, audit.at) == KeyState::Expired {
                    return Ok(UpdateKey::Expired);
                }
                if !key.is_active && !has_place(db, account_id, key_id, max_active, audit.at)? {
                    return Ok(UpdateKey::LimitReached);
                }
            }
            let params = params![
                account_id.as_bytes(),
                key_id.as_bytes(),
                changes.name.as_ref().map(KeyName::as_str),
                changes.scopes.map(keygate_core::Scopes::bits),
                changes.is_active,
            ];
            query::execute(db, UPDATE, params)?;
            db.key_changed(hash);
            db.audit(&audit)?;
            Ok(UpdateKey::Updated)
        })
        .await
    }

    async fn delete_key(
        &self,
        account_id: AccountId,
        key_id: KeyId,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            let Some((_, hash)) = lookup(db, account_id, key_id)? else {
                return Ok(false);
            };
            let ids = params![account_id.as_bytes(), key_id.as_bytes()];
            query::execute(db, DELETE, ids)?;
            db.key_changed(hash);
            db.audit(&audit)?;
            Ok(true)
        })
        .await
    }

    async fn lookup_key(
        &self,
        account_id: AccountId,
        key_id: KeyId,
    ) -> Result<Option<ApiKey>, StorageError> {
        self.read(move |db| Ok(lookup(db, account_id, key_id)?.map(|(key, _)| key)))
            .await
    }

    async fn list_keys(
        &self,
        account_id: AccountId,
        page: KeyPage,
        now: Timestamp,
    ) -> Result<Vec<ApiKey>, StorageError> {
        let list = match page.status {
            KeyStatus::Active => LIST_ACTIVE,
            KeyStatus::Inactive => LIST_INACTIVE,
            KeyStatus::Expired => LIST_EXPIRED,
            KeyStatus::All => LIST_ALL,
        };
        self.read(move |db| {
            let (less_than, now) = (page.less_than(), now.as_millis());
            let mut params: Vec<&dyn ToSql> =
                vec![account_id.as_bytes(), less_than.as_bytes(), &page.limit];
            if page.status.depends_on_time() {
                params.push(&now);
            }
            query::all(db, list, &*params, |row| row.api_key())
        })
        .await
    }

    async fn bind_hasher(&self, ours: String) -> Result<HasherBinding, StorageError> {
        // Where it is bound already, nothing has to be written, which may not be possible.
        if self.read(fingerprint).await?.as_ref() == Some(&ours) {
            return Ok(HasherBinding::Bound);
        }
        self.write(move |db| {
            let binding = bindings(db, migrations::known_version())?.hasher(&ours);
            if binding == HasherBinding::Bound {
                query::execute(db, BIND_HASHER, [&ours])?;
            }
            Ok(binding)
        })
        .await
    }

    async fn bind_prefix(&self, ours: String) -> Result<PrefixBinding, StorageError> {
        if self.read(key_rules).await?.prefix.as_ref() == Some(&ours) {
            return Ok(PrefixBinding::Bound);
        }
        self.write(move |db| {
            let binding = bindings(db, migrations::known_version())?.prefix(&ours);
            if binding == PrefixBinding::Bound {
                query::execute(db, BIND_PREFIX, [&ours])?;
            }
            Ok(binding)
        })
        .await
    }

    async fn name_installation(&self, drawn: String) -> Result<String, StorageError> {
        if let Some(name) = self.read(installation).await? {
            return Ok(name);
        }
        self.write(move |db| {
            query::execute(db, NAME_INSTALLATION, [&drawn])?;
            Ok(installation(db)?.unwrap_or(drawn))
        })
        .await
    }

    async fn note_limits(&self, limits: KeyLimits) -> Result<(), StorageError> {
        let noted = self.read(key_rules).await?;
        if (noted.max_active, noted.max_total) == (Some(limits.active), Some(limits.total)) {
            return Ok(());
        }
        self.write(move |db| {
            let limits = [limits.active, limits.total];
            query::execute(db, NOTE_LIMITS, limits).map(|_| ())
        })
        .await
    }

    async fn key_rules(&self) -> Result<KeyRules, StorageError> {
        self.read(key_rules).await
    }
}
