use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_core::{
    AccountId, ApiKey, Credential, FormId, KeyId, KeyState, MONOTONIC_LAG, Timestamp,
    key::{KeyHash, KeyName},
};
use keygate_storage::{
    AuditEntry, Columns, CredentialStore, HasherBinding, InsertKey, KeyBindings, KeyChanges,
    KeyLimits, KeyPage, KeyRules, KeyStatus, KeyStore, NewKey, Operation, PrefixBinding,
    StorageError, UpdateKey, prefix_of_shown, statements,
};
use sqlx::{PgConnection, query};

use crate::{
    PostgresStore, migrations,
    query::{all, execute, exists, optional},
    row::{ToUuid, signed},
    shares::Purpose,
};

/// The schema version since which it is noted what keys begin with.
const NOTES_RULES: i32 = 6;

/// The keys that are active at a time: the same rule as [`KeyState::of`], held to it by the suite.
macro_rules! active {
    ($now:literal) => {
        concat!(
            "(is_active AND (expires_at IS NULL OR expires_at > ",
            $now,
            "))"
        )
    };
}

/// Keys with what their uses add up to. A part of it may be counted in the keys themselves, by nodes of
/// the version before.
macro_rules! keys {
    ($condition:expr) => {
        concat!(
            "SELECT k.id, k.account_id, k.hash, k.name, k.key_prefix, k.scopes, k.expires_at, \
             k.is_active, k.created_at, greatest(k.last_used_at, u.last_used_at) AS last_used_at, \
             k.request_count + coalesce(u.request_count, 0) AS request_count \
             FROM api_keys AS k LEFT JOIN key_uses AS u ON u.key_id = k.id WHERE ",
            $condition
        )
    };
}

/// A page of keys in their order: what it skips is bounded by the limit on active keys.
macro_rules! page {
    ($condition:literal) => {
        keys!(concat!(
            "account_id = $1 AND ",
            $condition,
            " AND id < $2 ORDER BY id DESC LIMIT $3"
        ))
    };
}

statements! {
    INSERT = "INSERT INTO api_keys (id, account_id, hash, name, key_prefix, scopes, expires_at, \
        is_active, created_at, last_used_at, request_count) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    LOOKUP_FORM = "SELECT key_id FROM key_forms WHERE account_id = $1 AND form_id = $2";
    REMEMBER_FORM = "INSERT INTO key_forms (account_id, form_id, key_id, sent_at) \
        VALUES ($1, $2, $3, $4)";
    LOOKUP = keys!("account_id = $1 AND id = $2");
    LOCK = keys!("account_id = $1 AND id = $2 FOR UPDATE OF k");
    UPDATE = "UPDATE api_keys SET name = coalesce($3, name), scopes = coalesce($4, scopes), \
        is_active = coalesce($5, is_active) WHERE account_id = $1 AND id = $2";
    DELETE = "DELETE FROM api_keys WHERE account_id = $1 AND id = $2 RETURNING hash";
    CREDENTIAL = "SELECT api_keys.id, account_id, scopes, expires_at, is_active, \
        accounts.suspended_at FROM api_keys JOIN accounts ON accounts.id = account_id \
        WHERE hash = $1";
    /// Whoever counts an account's active keys waits here for whoever did before, on any node.
    LOCK_ACCOUNT = "SELECT 1 FROM accounts WHERE id = $1 FOR NO KEY UPDATE";
    /// However many there are, no more are counted than are allowed. By the server's clock, as nodes
    /// whose clocks differ would not count the same keys.
    COUNT_ACTIVE = concat!(
        "SELECT count(*) AS active FROM (SELECT 1 FROM api_keys WHERE account_id = $1 AND ",
        active!("(extract(epoch FROM clock_timestamp()) * 1000)::bigint"),
        " AND id <> $2 LIMIT $3) AS counted"
    );
    /// All that there are, which are not many; among any number of those that have expired.
    LIST_ACTIVE = keys!(
        "id = ANY (ARRAY (SELECT id FROM api_keys \
            WHERE account_id = $1 AND is_active AND expires_at IS NULL \
            UNION ALL SELECT id FROM api_keys \
            WHERE account_id = $1 AND is_active AND expires_at > $4)) \
         AND id < $2 ORDER BY id DESC LIMIT $3"
    );
    LIST_INACTIVE = page!("NOT is_active");
    LIST_EXPIRED = page!("is_active AND expires_at <= $4");
    LIST_ALL = page!("true");
    /// Like the active ones, no more than are allowed.
    COUNT_ALL = "SELECT count(*) AS keys FROM \
        (SELECT 1 FROM api_keys WHERE account_id = $1 LIMIT $2) AS counted";
    /// Taken by who issues keys, shared, and by who says how they are hashed. "kgha"
    LOCK_HASHER_SHARED = "SELECT pg_advisory_xact_lock_shared(1802987617)";
    LOCK_HASHER = "SELECT pg_advisory_xact_lock(1802987617)";
    IS_BOUND = "SELECT 1 FROM hasher WHERE fingerprint = $1 \
        AND (key_prefix IS NULL OR starts_with($2, key_prefix))";
    RULES = "SELECT key_prefix, max_active, max_total FROM hasher";
    ANY_PREFIX = "SELECT key_prefix FROM api_keys LIMIT 1";
    INSTALLATION = "SELECT installation FROM hasher";
    NAME_INSTALLATION = "UPDATE hasher SET installation = coalesce(installation, $1)";
    BIND_PREFIX = "UPDATE hasher SET key_prefix = $1";
    NOTE_LIMITS = "UPDATE hasher SET max_active = $1, max_total = $2 \
        WHERE (max_active, max_total) IS DISTINCT FROM ($1, $2)";
    FINGERPRINT = "SELECT fingerprint FROM hasher";
    BIND_HASHER = "INSERT INTO hasher (\"only\", fingerprint) VALUES (1, $1) \
        ON CONFLICT (\"only\") DO UPDATE SET fingerprint = excluded.fingerprint";
}

/// Whether the account has a place for `key_id` among its active keys. It stays so until the end
/// of the transaction.
pub(crate) async fn has_place(
    db: &mut PgConnection,
    account_id: AccountId,
    key_id: KeyId,
    max_active: u32,
) -> Result<bool, StorageError> {
    let count = async |db: &mut PgConnection| -> Result<bool, StorageError> {
        let count = query(COUNT_ACTIVE)
            .bind(account_id.uuid())
            .bind(key_id.uuid())
            .bind(i64::from(max_active));
        let active = optional(db, count, |row| row.count("active")).await?;
        Ok(active.unwrap_or(0) < u64::from(max_active))
    };
    // Who is refused need not wait in line for it.
    if !count(db).await? {
        return Ok(false);
    }
    execute(db, query(LOCK_ACCOUNT).bind(account_id.uuid())).await?;
    count(db).await
}

/// The same among all its keys, for who holds the account's lock.
async fn has_total_place(
    db: &mut PgConnection,
    account_id: AccountId,
    max_total: u32,
) -> Result<bool, StorageError> {
    let count = query(COUNT_ALL)
        .bind(account_id.uuid())
        .bind(i64::from(max_total));
    let keys = optional(db, count, |row| row.count("keys")).await?;
    Ok(keys.unwrap_or(0) < u64::from(max_total))
}

/// The key that a form has made before.
async fn earlier_key(
    db: &mut PgConnection,
    key: &ApiKey,
    form: Option<FormId>,
) -> Result<Option<KeyId>, StorageError> {
    let Some(form) = form else { return Ok(None) };
    let lookup = query(LOOKUP_FORM)
        .bind(key.account_id.uuid())
        .bind(form.uuid());
    optional(db, lookup, |row| row.key_id("key_id")).await
}

async fn remember_form(
    db: &mut PgConnection,
    key: &ApiKey,
    form: FormId,
) -> Result<(), StorageError> {
    let now = key.created_at;
    let row = query(REMEMBER_FORM)
        .bind(key.account_id.uuid())
        .bind(form.uuid())
        .bind(key.id.uuid())
        .bind(now.as_millis());
    execute(db, row).await.map(|_| ())
}

/// Refuses to issue a key where another process has said meanwhile that they are hashed differently, or
/// begin differently. `shown` is what is shown of the key.
async fn require_binding(
    db: &mut PgConnection,
    fingerprint: &str,
    shown: &str,
) -> Result<(), StorageError> {
    execute(db, query(LOCK_HASHER_SHARED)).await?;
    if exists(db, query(IS_BOUND).bind(fingerprint).bind(shown)).await? {
        return Ok(());
    }
    let why = "another process makes keys differently; pepper_file and prefix of [keys] must be the same everywhere";
    Err(StorageError::internal(why))
}

async fn key_rules(db: &mut PgConnection) -> Result<KeyRules, StorageError> {
    let rules = optional(db, query(RULES), |row| row.key_rules()).await?;
    Ok(rules.unwrap_or_default())
}

async fn fingerprint(db: &mut PgConnection) -> Result<Option<String>, StorageError> {
    optional(db, query(FINGERPRINT), |row| row.some_text("fingerprint")).await
}

async fn installation(db: &mut PgConnection) -> Result<Option<String>, StorageError> {
    let name = optional(db, query(INSTALLATION), |row| row.text("installation")).await?;
    Ok(name.flatten())
}

/// What the keys bind a server to, in a schema of this version.
pub(crate) async fn bindings(
    db: &mut PgConnection,
    version: i32,
) -> Result<KeyBindings, StorageError> {
    let shown = optional(db, query(ANY_PREFIX), |row| row.some_text("key_prefix"));
    let Some(shown): Option<String> = shown.await? else {
        return Ok(KeyBindings::default());
    };
    let noted = if version < NOTES_RULES {
        None
    } else {
        key_rules(db).await?.prefix
    };
    Ok(KeyBindings {
        fingerprint: fingerprint(db).await?,
        prefix: Some(noted.unwrap_or_else(|| prefix_of_shown(&shown).to_owned())),
    })
}

#[async_trait]
impl CredentialStore for PostgresStore {
    async fn lookup_credential(&self, hash: KeyHash) -> Result<Option<Credential>, StorageError> {
        let found = self.query(Purpose::Lookup, move |db| {
            let lookup = query(CREDENTIAL).bind(hash.as_bytes().to_vec());
            optional(db, lookup, |row| row.credential()).boxed()
        });
        // What comes later than that is too old to be used.
        let found = tokio::time::timeout(self.term.saturating_sub(MONOTONIC_LAG), found);
        let found = self.latencies.time(Operation::Lookup, found).await;
        found.unwrap_or_else(|_| Err(StorageError::Unavailable("no answer in time".into())))
    }
}

#[async_trait]
impl KeyStore for PostgresStore {
    async fn insert_key(
        &self,
        NewKey { key, hash, form }: NewKey,
        limits: KeyLimits,
        audit: AuditEntry,
    ) -> Result<InsertKey, StorageError> {
        let fingerprint = self.fingerprint.lock().clone();
        self.write(move |db| {
            async move {
                if let Some(fingerprint) = fingerprint {
                    require_binding(db, &fingerprint, &key.key_prefix).await?;
                }
                let has_place = has_place(db, key.account_id, key.id, limits.active);
                let has_place = has_place.await?;
                // Under the account's lock, if there is a place for a key.
                if let Some(earlier) = earlier_key(db, &key, form).await? {
                    return Ok(InsertKey::Repeated(earlier));
                }
                if !has_place {
                    return Ok(InsertKey::LimitReached);
                }
                if !has_total_place(db, key.account_id, limits.total).await? {
                    return Ok(InsertKey::TotalReached);
                }
                if let Some(form) = form {
                    remember_form(db, &key, form).await?;
                }
                let row = query(INSERT)
                    .bind(key.id.uuid())
                    .bind(key.account_id.uuid())
                    .bind(hash.as_bytes())
                    .bind(key.name.as_str())
                    .bind(&key.key_prefix)
                    .bind(i64::from(key.scopes.bits()))
                    .bind(key.expires_at.map(Timestamp::as_millis))
                    .bind(key.is_active)
                    .bind(key.created_at.as_millis())
                    .bind(key.last_used_at.map(Timestamp::as_millis))
                    .bind(signed(key.request_count));
                execute(db, row).await?;
                db.key_issued(hash);
                db.audit(&audit).await?;
                Ok(InsertKey::Inserted)
            }
            .boxed()
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
            async move {
                let ids = (account_id.uuid(), key_id.uuid());
                if changes.is_active == Some(true) {
                    // It may come to count the account's keys, and accounts come before keys.
                    execute(db, query(LOCK_ACCOUNT).bind(ids.0)).await?;
                }
                let lock = query(LOCK).bind(ids.0).bind(ids.1);
                let found = optional(db, lock, |row| Ok((row.api_key()?, row.key_hash("hash")?)));
                let Some((key, hash)) = found.await? else {
                    return Ok(UpdateKey::NotFound);
                };
                if changes.is_active == Some(true) {
                    if KeyState::of(true, key.expires_at, audit.at) == KeyState::Expired {
                        return Ok(UpdateKey::Expired);
                    }
                    if !key.is_active && !has_place(db, account_id, key_id, max_active).await? {
                        return Ok(UpdateKey::LimitReached);
                    }
                }
                let update = query(UPDATE)
                    .bind(ids.0)
                    .bind(ids.1)
                    .bind(changes.name.as_ref().map(KeyName::as_str))
                    .bind(changes.scopes.map(|scopes| i64::from(scopes.bits())))
                    .bind(changes.is_active);
                execute(db, update).await?;
                db.key_changed(hash);
                db.audit(&audit).await?;
                Ok(UpdateKey::Updated)
            }
            .boxed()
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
            async move {
                let delete = query(DELETE).bind(account_id.uuid()).bind(key_id.uuid());
                let deleted = optional(db, delete, |row| row.key_hash("hash")).await?;
                let Some(hash) = deleted else {
                    return Ok(false);
                };
                db.key_changed(hash);
                db.audit(&audit).await?;
                Ok(true)
            }
            .boxed()
        })
        .await
    }

    async fn lookup_key(
        &self,
        account_id: AccountId,
        key_id: KeyId,
    ) -> Result<Option<ApiKey>, StorageError> {
        self.read(move |db| {
            let lookup = query(LOOKUP).bind(account_id.uuid()).bind(key_id.uuid());
            optional(db, lookup, |row| row.api_key()).boxed()
        })
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
            let mut list = query(list)
                .bind(account_id.uuid())
                .bind(page.less_than().uuid())
                .bind(i64::from(page.limit));
            if page.status.depends_on_time() {
                list = list.bind(now.as_millis());
            }
            all(db, list, |row| row.api_key()).boxed()
        })
        .await
    }

    async fn bind_hasher(&self, ours: String) -> Result<HasherBinding, StorageError> {
        let fingerprint = ours.clone();
        let binding = self.write(move |db| {
            async move {
                execute(db, query(LOCK_HASHER)).await?;
                let bindings = bindings(db, migrations::known_version()).await?;
                let binding = bindings.hasher(&fingerprint);
                if binding == HasherBinding::Bound
                    && self::fingerprint(db).await?.as_ref() != Some(&fingerprint)
                {
                    execute(db, query(BIND_HASHER).bind(&fingerprint)).await?;
                }
                Ok(binding)
            }
            .boxed()
        });
        let binding = binding.await?;
        if binding == HasherBinding::Bound {
            *self.fingerprint.lock() = Some(ours);
        }
        Ok(binding)
    }

    async fn bind_prefix(&self, ours: String) -> Result<PrefixBinding, StorageError> {
        self.write(move |db| {
            async move {
                execute(db, query(LOCK_HASHER)).await?;
                let bindings = bindings(db, migrations::known_version()).await?;
                let binding = bindings.prefix(&ours);
                if binding == PrefixBinding::Bound
                    && key_rules(db).await?.prefix.as_ref() != Some(&ours)
                {
                    execute(db, query(BIND_PREFIX).bind(&ours)).await?;
                }
                Ok(binding)
            }
            .boxed()
        })
        .await
    }

    async fn name_installation(&self, drawn: String) -> Result<String, StorageError> {
        if let Some(name) = self.read(|db| installation(db).boxed()).await? {
            return Ok(name);
        }
        self.write(move |db| {
            async move {
                execute(db, query(NAME_INSTALLATION).bind(&drawn)).await?;
                Ok(installation(db).await?.unwrap_or(drawn))
            }
            .boxed()
        })
        .await
    }

    async fn note_limits(&self, limits: KeyLimits) -> Result<(), StorageError> {
        self.write(move |db| {
            async move {
                let note = query(NOTE_LIMITS)
                    .bind(i64::from(limits.active))
                    .bind(i64::from(limits.total));
                execute(db, note).await.map(|_| ())
            }
            .boxed()
        })
        .await
    }

    async fn key_rules(&self) -> Result<KeyRules, StorageError> {
        self.read(|db| key_rules(db).boxed()).await
    }
}
