use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_core::{
    AccountId, ApiKey, Credential, FormId, KeyDetails, KeyId, KeyState, Timestamp,
    key::{KeyHash, KeyName},
};
use keygate_storage::{
    AuditEntry, HasherBinding, InsertKey, KeyBindings, KeyChanges, KeyLimits, KeyPage, KeyRules,
    KeyStatus, KeyStore, Made, NewKey, PrefixBinding, StorageError, UpdateKey,
};

use crate::{
    Columns, Dialect, Engine, Read, SqlStore, Statement, Tx, all, audit, exists, optional,
    statement::{both, each, postgres, statements},
    undone::Undone,
    value::values,
};

/// Keys with what their uses add up to. A part of it may have been counted in the keys themselves, by the
/// version before.
macro_rules! keys {
    ($greatest:literal, $index:literal, $condition:expr) => {
        concat!(
            "SELECT k.id, k.account_id, k.hash, k.name, k.key_prefix, k.scopes, k.expires_at, \
             k.is_active, k.created_at, ",
            $greatest,
            "(coalesce(k.last_used_at, u.last_used_at), \
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
    ($condition:literal) => {
        concat!(
            "account_id = $1 AND ",
            $condition,
            " AND id < $2 ORDER BY id DESC LIMIT $3"
        )
    };
}

/// Counts an account's active keys besides one, by the same rule as [`KeyState::of`], held to it by the suite. However
/// many there are, no more are counted than are allowed.
macro_rules! count_active {
    ($is_active:literal) => {
        concat!(
            "SELECT count(*) AS active FROM (SELECT 1 FROM api_keys WHERE account_id = $1 AND ",
            $is_active,
            " AND id <> $2 LIMIT $3) AS counted"
        )
    };
}

/// A key and its hash, by its account and its id.
macro_rules! key {
    ($greatest:literal, $suffix:literal) => {
        keys!(
            $greatest,
            "",
            concat!("account_id = $1 AND id = $2", $suffix)
        )
    };
}

statements! {
    INSERT = both!("INSERT INTO api_keys \
        (id, account_id, hash, key_prefix, created_at, is_active, name, scopes, expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
    LOOKUP_FORM = both!("SELECT key_id FROM key_forms WHERE account_id = $1 AND form_id = $2");
    REMEMBER_FORM = both!("INSERT INTO key_forms (account_id, form_id, key_id, sent_at) \
        VALUES ($1, $2, $3, $4)");
    LOOKUP = each!(key!("max", ""), key!("greatest", ""));
    LOOKUP_LOCKED = each!(key!("max", ""), key!("greatest", " FOR UPDATE OF k"));
    /// Whatever of a key changes is written as it is to be: the row is locked.
    UPDATE = both!("UPDATE api_keys SET is_active = $2, name = $3, scopes = $4 WHERE id = $1");
    DELETE = both!("DELETE FROM api_keys WHERE account_id = $1 AND id = $2 RETURNING hash");
    CREDENTIAL = both!("SELECT api_keys.id, account_id, scopes, expires_at, is_active, \
        accounts.suspended_at FROM api_keys JOIN accounts ON accounts.id = account_id \
        WHERE hash = $1");
    /// Whoever counts an account's active keys waits here for whoever did before, on any node.
    LOCK_ACCOUNT = postgres!("SELECT 1 FROM accounts WHERE id = $1 FOR NO KEY UPDATE");
    /// By the server's clock, where there is one, as nodes whose clocks differ would not count the same keys.
    COUNT_ACTIVE = each!(
        count_active!("is_active = 1 AND (expires_at IS NULL OR expires_at > $4)"),
        count_active!("is_active AND (expires_at IS NULL \
            OR expires_at > (extract(epoch FROM clock_timestamp()) * 1000)::bigint)")
    );
    /// All that there are, which are not many; among any number of those that have expired.
    LIST_ACTIVE = each!(
        keys!("max", "", "id IN (SELECT id FROM api_keys INDEXED BY api_keys_active \
                WHERE account_id = $1 AND is_active = 1 AND expires_at IS NULL \
                UNION ALL SELECT id FROM api_keys INDEXED BY api_keys_active \
                WHERE account_id = $1 AND is_active = 1 AND expires_at > $4) \
             AND id < $2 ORDER BY id DESC LIMIT $3"),
        keys!("greatest", "", "id = ANY (ARRAY (SELECT id FROM api_keys \
                WHERE account_id = $1 AND is_active AND expires_at IS NULL \
                UNION ALL SELECT id FROM api_keys \
                WHERE account_id = $1 AND is_active AND expires_at > $4)) \
             AND id < $2 ORDER BY id DESC LIMIT $3")
    );
    LIST_INACTIVE = each!(
        keys!("max", "INDEXED BY api_keys_off", page!("is_active = 0")),
        keys!("greatest", "", page!("NOT is_active"))
    );
    LIST_EXPIRED = each!(
        keys!("max", "INDEXED BY api_keys_on", page!("is_active = 1 AND expires_at <= $4")),
        keys!("greatest", "", page!("is_active AND expires_at <= $4"))
    );
    LIST_ALL = each!(
        keys!("max", "INDEXED BY api_keys_by_account", page!("true")),
        keys!("greatest", "", page!("true"))
    );
    /// Like the active ones, no more than are allowed.
    COUNT_ALL = both!("SELECT count(*) AS keys FROM \
        (SELECT 1 FROM api_keys WHERE account_id = $1 LIMIT $2) AS counted");
    /// Taken by who issues keys, shared, and by who says how they are hashed. "kgha"
    LOCK_HASHER_SHARED = postgres!("SELECT pg_advisory_xact_lock_shared(1802987617)");
    LOCK_HASHER = postgres!("SELECT pg_advisory_xact_lock(1802987617)");
    IS_BOUND = both!("SELECT 1 FROM hasher WHERE fingerprint = $1 \
        AND (key_prefix IS NULL OR substr($2, 1, length(key_prefix)) = key_prefix)");
    FINGERPRINT = both!("SELECT fingerprint FROM hasher");
    BIND_HASHER = both!("INSERT INTO hasher (\"only\", fingerprint) VALUES (1, $1) \
        ON CONFLICT (\"only\") DO UPDATE SET fingerprint = excluded.fingerprint");
    RULES = both!("SELECT key_prefix, max_active, max_total FROM hasher");
    ANY_PREFIX = both!("SELECT key_prefix FROM api_keys LIMIT 1");
    INSTALLATION = both!("SELECT installation FROM hasher");
    NAME_INSTALLATION = both!("UPDATE hasher SET installation = coalesce(installation, $1)");
    BIND_PREFIX = both!("UPDATE hasher SET key_prefix = $1");
    NOTE_LIMITS = both!("UPDATE hasher SET max_active = $1, max_total = $2");
}

fn api_key(row: &dyn Columns) -> Result<ApiKey, StorageError> {
    let name = KeyName::parse(&row.some_text("name")?);
    Ok(ApiKey {
        id: row.key_id("id")?,
        account_id: row.account_id("account_id")?,
        key_prefix: row.some_text("key_prefix")?,
        details: KeyDetails {
            name: name.map_err(|_| StorageError::Corrupt("key name"))?,
            scopes: row.scopes()?,
            expires_at: row.optional_timestamp("expires_at")?,
        },
        last_used_at: row.optional_timestamp("last_used_at")?,
        request_count: row.count("request_count")?,
        is_active: row.flag("is_active")?,
        created_at: row.timestamp("created_at")?,
    })
}

/// What deciding about the key with this hash needs to know.
pub async fn lookup_credential(
    db: &mut dyn Read,
    hash: KeyHash,
) -> Result<Option<Credential>, StorageError> {
    optional(db, &CREDENTIAL, values![&hash], |row| row.credential()).await
}

/// What the keys of a database bind a server to. Its schema may be from before the time when it was noted what
/// they begin with.
pub async fn bindings(
    db: &mut dyn Read,
    is_prefix_noted: bool,
) -> Result<KeyBindings, StorageError> {
    let shown = optional(db, &ANY_PREFIX, &[], |row| row.some_text("key_prefix"));
    let Some(shown) = shown.await? else {
        return Ok(KeyBindings::default());
    };
    let noted = if is_prefix_noted {
        key_rules(db).await?.prefix
    } else {
        None
    };
    Ok(KeyBindings {
        fingerprint: fingerprint(db).await?,
        prefix: Some(noted.unwrap_or_else(|| prefix_of_shown(&shown).to_owned())),
    })
}

/// What a key begins with of which this is shown: a prefix ends with its only underscore.
fn prefix_of_shown(shown: &str) -> &str {
    let end = shown.find('_');
    end.map_or(shown, |end| &shown[..=end])
}

async fn key_rules(db: &mut dyn Read) -> Result<KeyRules, StorageError> {
    let rules = optional(db, &RULES, &[], |row| row.key_rules()).await?;
    Ok(rules.unwrap_or_default())
}

async fn fingerprint(db: &mut dyn Read) -> Result<Option<String>, StorageError> {
    optional(db, &FINGERPRINT, &[], |row| row.some_text("fingerprint")).await
}

async fn installation(db: &mut dyn Read) -> Result<Option<String>, StorageError> {
    let name = optional(db, &INSTALLATION, &[], |row| row.text("installation"));
    Ok(name.await?.flatten())
}

/// A key and its hash, by this statement.
async fn lookup(
    db: &mut dyn Read,
    statement: &'static Statement,
    account_id: AccountId,
    key_id: KeyId,
) -> Result<Option<(ApiKey, KeyHash)>, StorageError> {
    optional(db, statement, values![account_id, key_id], |row| {
        Ok((api_key(row)?, row.key_hash("hash")?))
    })
    .await
}

/// Whether the account has a place for `key_id` among its active keys. It stays so until the end of the
/// transaction.
async fn has_place(
    tx: &mut dyn Tx,
    account_id: AccountId,
    key_id: KeyId,
    max_active: u32,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let count = async |tx: &mut dyn Tx| -> Result<bool, StorageError> {
        let values = values![account_id, key_id, max_active, now];
        let used = match tx.dialect() {
            Dialect::Sqlite => 4,
            Dialect::Postgres => 3,
        };
        let count = optional(tx, &COUNT_ACTIVE, &values[..used], |row| {
            row.count("active")
        });
        let active = count.await?;
        Ok(active.unwrap_or(0) < u64::from(max_active))
    };
    // Who is refused need not wait in line for it.
    if !count(tx).await? {
        return Ok(false);
    }
    let others_count = tx.lock(&LOCK_ACCOUNT, values![account_id]).await?;
    Ok(!others_count || count(tx).await?)
}

/// The same among all its keys, for who holds the account's lock.
async fn has_total_place(
    tx: &mut dyn Tx,
    account_id: AccountId,
    max_total: u32,
) -> Result<bool, StorageError> {
    let values = values![account_id, max_total];
    let keys = optional(tx, &COUNT_ALL, values, |row| row.count("keys")).await?;
    Ok(keys.unwrap_or(0) < u64::from(max_total))
}

/// The key that a form has made before.
async fn earlier_key(
    tx: &mut dyn Tx,
    key: &ApiKey,
    form: Option<FormId>,
) -> Result<Option<KeyId>, StorageError> {
    let Some(form) = form else { return Ok(None) };
    let values = values![key.account_id, form];
    optional(tx, &LOOKUP_FORM, values, |row| row.key_id("key_id")).await
}

/// Refuses to issue a key where another process has said meanwhile that they are hashed differently, or begin
/// differently. `shown` is what is shown of the key.
async fn require_binding(
    tx: &mut dyn Tx,
    fingerprint: &str,
    shown: &str,
) -> Result<(), StorageError> {
    let is_shared = tx.lock(&LOCK_HASHER_SHARED, &[]).await?;
    if !is_shared || exists(tx, &IS_BOUND, values![fingerprint, shown]).await? {
        return Ok(());
    }
    let why = "another process makes keys differently; pepper_file and prefix of [keys] must be the same everywhere";
    Err(StorageError::internal(why))
}

async fn insert(
    tx: &mut dyn Tx,
    NewKey { key, hash, form }: NewKey,
    limits: KeyLimits,
    fingerprint: Option<String>,
    audit: AuditEntry,
) -> Result<InsertKey, Undone> {
    if let Some(fingerprint) = fingerprint {
        require_binding(tx, &fingerprint, &key.key_prefix).await?;
    }
    let has_place = has_place(tx, key.account_id, key.id, limits.active, key.created_at).await?;
    // Under the account's lock, if there is a place for a key.
    if let Some(earlier) = earlier_key(tx, &key, form).await? {
        return Ok(InsertKey::Repeated(earlier));
    }
    if !has_place {
        return Ok(InsertKey::LimitReached);
    }
    if !has_total_place(tx, key.account_id, limits.total).await? {
        return Ok(InsertKey::TotalReached);
    }
    let KeyDetails {
        name,
        scopes,
        expires_at,
    } = &key.details;
    let row = values![
        key.id,
        key.account_id,
        &hash,
        &key.key_prefix,
        key.created_at,
        key.is_active,
        name.as_str(),
        i64::from(scopes.bits()),
        *expires_at,
    ];
    tx.execute(&INSERT, row).await?;
    if let Some(form) = form {
        let row = values![key.account_id, form, key.id, key.created_at];
        tx.execute(&REMEMBER_FORM, row).await?;
    }
    tx.key_issued(hash);
    audit::insert(tx, &audit).await?;
    Ok(InsertKey::Inserted)
}

async fn update(
    tx: &mut dyn Tx,
    account_id: AccountId,
    key_id: KeyId,
    changes: KeyChanges,
    max_active: u32,
    audit: AuditEntry,
) -> Result<UpdateKey, Undone> {
    let is_activated = changes.is_active == Some(true);
    if is_activated {
        // It may come to count the account's keys, and accounts come before keys.
        tx.lock(&LOCK_ACCOUNT, values![account_id]).await?;
    }
    let found = lookup(tx, &LOOKUP_LOCKED, account_id, key_id).await?;
    let Some((mut key, hash)) = found else {
        return Ok(UpdateKey::NotFound);
    };
    if is_activated {
        if KeyState::of(true, key.details.expires_at, audit.at) == KeyState::Expired {
            return Ok(UpdateKey::Expired);
        }
        if !key.is_active && !has_place(tx, account_id, key_id, max_active, audit.at).await? {
            return Ok(UpdateKey::LimitReached);
        }
    }
    changes.apply_to(&mut key);
    let KeyDetails { name, scopes, .. } = &key.details;
    let row = values![
        key_id,
        key.is_active,
        name.as_str(),
        i64::from(scopes.bits()),
    ];
    tx.execute(&UPDATE, row).await?;
    tx.key_changed(hash);
    audit::insert(tx, &audit).await?;
    Ok(UpdateKey::Updated)
}

async fn delete(
    tx: &mut dyn Tx,
    account_id: AccountId,
    key_id: KeyId,
    audit: AuditEntry,
) -> Result<bool, Undone> {
    let values = values![account_id, key_id];
    let deleted = optional(tx, &DELETE, values, |row| row.key_hash("hash")).await?;
    let Some(hash) = deleted else {
        return Ok(false);
    };
    tx.key_changed(hash);
    audit::insert(tx, &audit).await?;
    Ok(true)
}

async fn list(
    db: &mut dyn Read,
    account_id: AccountId,
    page: KeyPage,
    now: Timestamp,
) -> Result<Vec<ApiKey>, StorageError> {
    let list = match page.status {
        KeyStatus::Active => &LIST_ACTIVE,
        KeyStatus::Inactive => &LIST_INACTIVE,
        KeyStatus::Expired => &LIST_EXPIRED,
        KeyStatus::All => &LIST_ALL,
    };
    let values = values![account_id, page.less_than(), page.limit, now];
    let used = if page.status.depends_on_time() { 4 } else { 3 };
    all(db, list, &values[..used], api_key).await
}

async fn bind_hasher(tx: &mut dyn Tx, ours: String) -> Result<HasherBinding, StorageError> {
    tx.lock(&LOCK_HASHER, &[]).await?;
    let binding = bindings(tx, true).await?.hasher(&ours);
    if binding == HasherBinding::Bound {
        tx.execute(&BIND_HASHER, values![&ours]).await?;
    }
    Ok(binding)
}

async fn bind_prefix(tx: &mut dyn Tx, ours: String) -> Result<PrefixBinding, StorageError> {
    tx.lock(&LOCK_HASHER, &[]).await?;
    let binding = bindings(tx, true).await?.prefix(&ours);
    if binding == PrefixBinding::Bound {
        tx.execute(&BIND_PREFIX, values![&ours]).await?;
    }
    Ok(binding)
}

async fn name_installation(tx: &mut dyn Tx, drawn: String) -> Result<String, StorageError> {
    tx.execute(&NAME_INSTALLATION, values![&drawn]).await?;
    Ok(installation(tx).await?.unwrap_or(drawn))
}

async fn note_limits(tx: &mut dyn Tx, limits: KeyLimits) -> Result<(), StorageError> {
    let limits = values![limits.active, limits.total];
    tx.execute(&NOTE_LIMITS, limits).await.map(|_| ())
}

#[async_trait]
impl<E: Engine> KeyStore for SqlStore<E> {
    async fn insert_key(
        &self,
        key: NewKey,
        limits: KeyLimits,
        audit: AuditEntry,
    ) -> Result<Made<InsertKey>, StorageError> {
        let fingerprint = self.fingerprint.lock().clone();
        self.change(move |tx| insert(tx, key, limits, fingerprint, audit).boxed())
            .await
    }

    async fn update_key(
        &self,
        account_id: AccountId,
        key_id: KeyId,
        changes: KeyChanges,
        max_active: u32,
        audit: AuditEntry,
    ) -> Result<Made<UpdateKey>, StorageError> {
        self.change(move |tx| update(tx, account_id, key_id, changes, max_active, audit).boxed())
            .await
    }

    async fn delete_key(
        &self,
        account_id: AccountId,
        key_id: KeyId,
        audit: AuditEntry,
    ) -> Result<Made<bool>, StorageError> {
        self.change(move |tx| delete(tx, account_id, key_id, audit).boxed())
            .await
    }

    async fn lookup_key(
        &self,
        account_id: AccountId,
        key_id: KeyId,
    ) -> Result<Option<ApiKey>, StorageError> {
        let found = self.read(move |db| lookup(db, &LOOKUP, account_id, key_id).boxed());
        Ok(found.await?.map(|(key, _)| key))
    }

    async fn list_keys(
        &self,
        account_id: AccountId,
        page: KeyPage,
        now: Timestamp,
    ) -> Result<Vec<ApiKey>, StorageError> {
        self.read(move |db| list(db, account_id, page, now).boxed())
            .await
    }

    async fn bind_hasher(&self, ours: String) -> Result<HasherBinding, StorageError> {
        // Where it is bound already, nothing has to be written, which may not be possible.
        let bound = self.read(|db| fingerprint(db).boxed()).await?;
        let binding = if bound.as_ref() == Some(&ours) {
            HasherBinding::Bound
        } else {
            let fingerprint = ours.clone();
            self.write(move |tx| bind_hasher(tx, fingerprint).boxed())
                .await?
        };
        if binding == HasherBinding::Bound {
            *self.fingerprint.lock() = Some(ours);
        }
        Ok(binding)
    }

    async fn bind_prefix(&self, ours: String) -> Result<PrefixBinding, StorageError> {
        let noted = self.key_rules().await?;
        if noted.prefix.as_ref() == Some(&ours) {
            return Ok(PrefixBinding::Bound);
        }
        self.write(move |tx| bind_prefix(tx, ours).boxed()).await
    }

    async fn name_installation(&self, drawn: String) -> Result<String, StorageError> {
        if let Some(name) = self.read(|db| installation(db).boxed()).await? {
            return Ok(name);
        }
        self.write(move |tx| name_installation(tx, drawn).boxed())
            .await
    }

    async fn note_limits(&self, limits: KeyLimits) -> Result<(), StorageError> {
        let noted = self.key_rules().await?;
        if (noted.max_active, noted.max_total) == (Some(limits.active), Some(limits.total)) {
            return Ok(());
        }
        self.write(move |tx| note_limits(tx, limits).boxed()).await
    }

    async fn key_rules(&self) -> Result<KeyRules, StorageError> {
        self.read(|db| key_rules(db).boxed()).await
    }
}
