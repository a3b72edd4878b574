use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_core::{AccountId, EmailAddress, Role, Timestamp, TokenHash};
use keygate_storage::{
    AccountPage, AccountStore, AccountSummary, Admission, AuditEntry, BeginSession, ChangeAccount,
    InsertAccount, Made, NewAccount, NewPassword, SetPassword, StorageError, StoredAccount,
};

use crate::{
    Engine, Read, SqlStore, Tx, all, audit,
    columns::account_columns,
    exists, links, optional, owners, sessions,
    statement::{both, each, postgres, statements},
    undone::Undone,
    value::values,
};

/// An account and the numbers of its keys at `$1`.
macro_rules! summaries {
    ($is_active:literal, $condition:literal) => {
        concat!(
            "SELECT ",
            account_columns!(),
            ", (SELECT count(*) FROM api_keys WHERE account_id = accounts.id) AS keys, \
             (SELECT count(*) FROM api_keys WHERE account_id = accounts.id AND ",
            $is_active,
            " AND (expires_at IS NULL OR expires_at > $1)) AS active_keys, \
             (SELECT expires_at FROM password_resets WHERE account_id = accounts.id \
              AND expires_at > $1) AS reset_ends_at FROM accounts WHERE ",
            $condition
        )
    };
}

statements! {
    LOOKUP = both!(concat!(
        "SELECT ", account_columns!(), ", password_hash FROM accounts WHERE email = $1"
    ));
    SUMMARY = each!(
        summaries!("is_active = 1", "id = $2"),
        summaries!("is_active", "id = $2")
    );
    LIST = each!(
        summaries!(
            "is_active = 1",
            "($2 IS NULL OR instr(email, $2) > 0) AND ($3 IS NULL OR id > $3) ORDER BY id LIMIT $4"
        ),
        summaries!(
            "is_active",
            "($2::text IS NULL OR strpos(email, $2) > 0) AND ($3::uuid IS NULL OR id > $3) \
             ORDER BY id LIMIT $4"
        )
    );
    INSERT = both!("INSERT INTO accounts (id, email, password_hash, role, created_at) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (email) DO NOTHING");
    SET_PASSWORD = both!("UPDATE accounts SET password_hash = $2 \
        WHERE id = $1 AND (CAST($3 AS text) IS NULL OR password_hash = $3)");
    SET_ROLE = both!("UPDATE accounts SET role = $2 WHERE id = $1");
    SUSPEND = both!("UPDATE accounts SET suspended_at = coalesce(suspended_at, $2) WHERE id = $1");
    RESUME = both!("UPDATE accounts SET suspended_at = NULL WHERE id = $1");
    DELETE_SESSIONS = both!("DELETE FROM sessions WHERE account_id = $1");
    HAS_ADMIN = both!("SELECT 1 FROM accounts WHERE role = 'admin' AND suspended_at IS NULL LIMIT 1");
    /// Of two changes that would each leave the other's admin, one waits for the other. "kgad"
    LOCK_ADMINS = postgres!("SELECT pg_advisory_xact_lock(1801937252)");
    IS_LAST_ADMIN = both!("SELECT 1 FROM accounts \
        WHERE id = $1 AND role = 'admin' AND suspended_at IS NULL \
        AND NOT EXISTS (SELECT 1 FROM accounts \
            WHERE role = 'admin' AND suspended_at IS NULL AND id <> $1)");
    KEY_HASHES = both!("SELECT hash FROM api_keys WHERE account_id = $1");
}

/// Why somebody may not make an account, if so.
async fn refusal(
    tx: &mut dyn Tx,
    admission: Admission,
    now: Timestamp,
) -> Result<Option<InsertAccount>, StorageError> {
    let refusal = match admission {
        Admission::Free => None,
        Admission::Open if owners::any(tx).await? => None,
        Admission::Open => Some(InsertAccount::NotSetUp),
        Admission::Invitation(token) => refusal_by_invitation(tx, token, now).await?,
    };
    Ok(refusal)
}

async fn refusal_by_invitation(
    tx: &mut dyn Tx,
    token_hash: TokenHash,
    now: Timestamp,
) -> Result<Option<InsertAccount>, StorageError> {
    let invitation = links::lock_invitation(tx, token_hash).await?;
    let Some(invitation) = invitation.filter(|invitation| now < invitation.expires_at) else {
        return Ok(Some(InsertAccount::InvitationInvalid));
    };
    Ok(invitation.kind.refusal(owners::any(tx).await?))
}

async fn insert(
    tx: &mut dyn Tx,
    account: NewAccount,
    admission: Admission,
    session: Option<BeginSession>,
    audit: AuditEntry,
) -> Result<InsertAccount, Undone> {
    links::lock(tx).await?;
    if let Some(refusal) = refusal(tx, admission, account.created_at).await? {
        return Ok(refusal);
    }
    let row = values![
        account.id,
        account.email.as_str(),
        &account.password_hash,
        account.role.as_str(),
        account.created_at,
    ];
    if tx.execute(&INSERT, row).await? == 0 {
        return Ok(InsertAccount::EmailTaken);
    }
    links::use_up(tx, admission, &account.email).await?;
    audit::insert(tx, &audit).await?;
    begin(tx, session.as_ref()).await?;
    Ok(InsertAccount::Inserted)
}

/// Begins the session, if there is one to begin.
async fn begin(tx: &mut dyn Tx, session: Option<&BeginSession>) -> Result<(), Undone> {
    let Some(BeginSession { session, audit }) = session else {
        return Ok(());
    };
    sessions::insert(tx, session).await?;
    audit::insert(tx, audit).await
}

/// Ends an account's sessions, and with them its links.
async fn end_sessions(tx: &mut dyn Tx, account_id: AccountId) -> Result<(), StorageError> {
    tx.execute(&DELETE_SESSIONS, values![account_id]).await?;
    links::forget(tx, account_id).await
}

/// Whether nobody would look after the others without this account. Where a session does it, that is another
/// admin's, or over, as is said when it is audited.
async fn is_last_admin(
    tx: &mut dyn Tx,
    account_id: AccountId,
    audit: &AuditEntry,
) -> Result<bool, StorageError> {
    let by_session = audit.actor.session_id().is_some();
    Ok(!by_session && exists(tx, &IS_LAST_ADMIN, values![account_id]).await?)
}

async fn set_role(
    tx: &mut dyn Tx,
    account_id: AccountId,
    role: Role,
    audit: AuditEntry,
) -> Result<ChangeAccount, Undone> {
    tx.lock(&LOCK_ADMINS, &[]).await?;
    owners::lock(tx, account_id, &audit).await?;
    if role != Role::Admin && is_last_admin(tx, account_id, &audit).await? {
        return Ok(ChangeAccount::LastAdmin);
    }
    let set = values![account_id, role.as_str()];
    if tx.execute(&SET_ROLE, set).await? == 0 {
        return Ok(ChangeAccount::NotFound);
    }
    audit::insert(tx, &audit).await?;
    end_sessions(tx, account_id).await?;
    Ok(ChangeAccount::Changed)
}

async fn set_password(
    tx: &mut dyn Tx,
    account_id: AccountId,
    replaces: Option<String>,
    new: NewPassword,
    audit: AuditEntry,
) -> Result<SetPassword, Undone> {
    owners::lock(tx, account_id, &audit).await?;
    let set = values![account_id, &new.hash, &replaces];
    if tx.execute(&SET_PASSWORD, set).await? == 0 {
        return Ok(if owners::is_there(tx, account_id).await? {
            SetPassword::Overtaken
        } else {
            SetPassword::NotFound
        });
    }
    // Before the sessions end: the change may be made by one of them.
    audit::insert(tx, &audit).await?;
    end_sessions(tx, account_id).await?;
    begin(tx, new.session.as_ref()).await?;
    Ok(SetPassword::Set)
}

async fn reset_password(
    tx: &mut dyn Tx,
    token_hash: TokenHash,
    new: NewPassword,
    audit: AuditEntry,
) -> Result<bool, Undone> {
    let Some((_, account)) = links::lookup_reset(tx, token_hash).await? else {
        return Ok(false);
    };
    // The account first, as everybody does; then the link must still be there.
    owners::lock(tx, account.id, &audit).await?;
    match links::lock_reset(tx, token_hash).await? {
        Some((reset, account)) if audit.at < reset.expires_at && account.suspended_at.is_none() => {
            let set = set_password(tx, account.id, None, new, audit).await?;
            Ok(set == SetPassword::Set)
        }
        _ => Ok(false),
    }
}

async fn suspend(
    tx: &mut dyn Tx,
    account_id: AccountId,
    audit: AuditEntry,
) -> Result<ChangeAccount, Undone> {
    tx.lock(&LOCK_ADMINS, &[]).await?;
    owners::lock(tx, account_id, &audit).await?;
    if is_last_admin(tx, account_id, &audit).await? {
        return Ok(ChangeAccount::LastAdmin);
    }
    if tx.execute(&SUSPEND, values![account_id, audit.at]).await? == 0 {
        return Ok(ChangeAccount::NotFound);
    }
    // Before the sessions end: they may be those of whoever suspends.
    audit::insert(tx, &audit).await?;
    end_sessions(tx, account_id).await?;
    keys_changed(tx, account_id).await?;
    Ok(ChangeAccount::Changed)
}

async fn resume(tx: &mut dyn Tx, account_id: AccountId, audit: AuditEntry) -> Result<bool, Undone> {
    owners::lock(tx, account_id, &audit).await?;
    if tx.execute(&RESUME, values![account_id]).await? == 0 {
        return Ok(false);
    }
    keys_changed(tx, account_id).await?;
    audit::insert(tx, &audit).await?;
    Ok(true)
}

async fn keys_changed(tx: &mut dyn Tx, account_id: AccountId) -> Result<(), StorageError> {
    let id = values![account_id];
    for hash in all(tx, &KEY_HASHES, id, |row| row.key_hash("hash")).await? {
        tx.key_changed(hash);
    }
    Ok(())
}

async fn lookup(
    db: &mut dyn Read,
    email: EmailAddress,
) -> Result<Option<StoredAccount>, StorageError> {
    let email = values![email.as_str()];
    optional(db, &LOOKUP, email, |row| row.stored_account()).await
}

async fn lookup_summary(
    db: &mut dyn Read,
    account_id: AccountId,
    now: Timestamp,
) -> Result<Option<AccountSummary>, StorageError> {
    optional(db, &SUMMARY, values![now, account_id], |row| {
        row.account_summary()
    })
    .await
}

async fn list(
    db: &mut dyn Read,
    page: AccountPage,
    now: Timestamp,
) -> Result<Vec<AccountSummary>, StorageError> {
    let values = values![now, &page.search, page.after, page.limit];
    all(db, &LIST, values, |row| row.account_summary()).await
}

#[async_trait]
impl<E: Engine> AccountStore for SqlStore<E> {
    async fn insert_account(
        &self,
        account: NewAccount,
        admission: Admission,
        session: Option<BeginSession>,
        audit: AuditEntry,
    ) -> Result<Made<InsertAccount>, StorageError> {
        self.change(move |tx| insert(tx, account, admission, session, audit).boxed())
            .await
    }

    async fn lookup_account(
        &self,
        email: &EmailAddress,
    ) -> Result<Option<StoredAccount>, StorageError> {
        let email = email.clone();
        self.read(move |db| lookup(db, email.clone()).boxed()).await
    }

    async fn lookup_account_summary(
        &self,
        account_id: AccountId,
        now: Timestamp,
    ) -> Result<Option<AccountSummary>, StorageError> {
        self.read(move |db| lookup_summary(db, account_id, now).boxed())
            .await
    }

    async fn list_accounts(
        &self,
        page: AccountPage,
        now: Timestamp,
    ) -> Result<Vec<AccountSummary>, StorageError> {
        self.read(move |db| list(db, page.clone(), now).boxed())
            .await
    }

    async fn has_admin(&self) -> Result<bool, StorageError> {
        self.read(|db| exists(db, &HAS_ADMIN, &[]).boxed()).await
    }

    async fn set_role(
        &self,
        account_id: AccountId,
        role: Role,
        audit: AuditEntry,
    ) -> Result<Made<ChangeAccount>, StorageError> {
        self.change(move |tx| set_role(tx, account_id, role, audit).boxed())
            .await
    }

    async fn set_password(
        &self,
        account_id: AccountId,
        replaces: Option<String>,
        new: NewPassword,
        audit: AuditEntry,
    ) -> Result<Made<SetPassword>, StorageError> {
        self.change(move |tx| set_password(tx, account_id, replaces, new, audit).boxed())
            .await
    }

    async fn reset_password(
        &self,
        token_hash: TokenHash,
        new: NewPassword,
        audit: AuditEntry,
    ) -> Result<Made<bool>, StorageError> {
        self.change(move |tx| reset_password(tx, token_hash, new, audit).boxed())
            .await
    }

    async fn suspend_account(
        &self,
        account_id: AccountId,
        audit: AuditEntry,
    ) -> Result<Made<ChangeAccount>, StorageError> {
        self.change(move |tx| suspend(tx, account_id, audit).boxed())
            .await
    }

    async fn resume_account(
        &self,
        account_id: AccountId,
        audit: AuditEntry,
    ) -> Result<Made<bool>, StorageError> {
        self.change(move |tx| resume(tx, account_id, audit).boxed())
            .await
    }
}
