use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_core::{AccountId, EmailAddress, Role, Timestamp, TokenHash};
use keygate_storage::{
    AccountPage, AccountStore, AccountSummary, Admission, AuditEntry, BeginSession, ChangeAccount,
    Columns, InsertAccount, NewAccount, NewPassword, SetPassword, StorageError, StoredAccount,
    account_columns, statements,
};
use sqlx::{PgConnection, query};

use crate::{
    PostgresStore, links,
    query::{all, execute, exists, optional},
    row::ToUuid,
    sessions,
    write::Write,
};

/// An account and the numbers of its keys at `$1`.
macro_rules! summaries {
    () => {
        concat!(
            "SELECT ",
            account_columns!(),
            ", (SELECT count(*) FROM api_keys WHERE account_id = accounts.id) AS keys, \
             (SELECT count(*) FROM api_keys WHERE account_id = accounts.id AND is_active \
              AND (expires_at IS NULL OR expires_at > $1)) AS active_keys, \
             (SELECT expires_at FROM password_resets WHERE account_id = accounts.id \
              AND expires_at > $1) AS reset_ends_at FROM accounts "
        )
    };
}

statements! {
    INSERT = "INSERT INTO accounts (id, email, password_hash, role, created_at) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (email) DO NOTHING";
    LOOKUP = concat!("SELECT ", account_columns!(), ", password_hash FROM accounts WHERE email = $1");
    SUMMARY = concat!(summaries!(), "WHERE id = $2");
    LIST = concat!(
        summaries!(),
        "WHERE ($2::text IS NULL OR strpos(email, $2) > 0) AND ($3::uuid IS NULL OR id > $3) \
         ORDER BY id LIMIT $4"
    );
    ANY_ACCOUNT = "SELECT 1 FROM accounts LIMIT 1";
    SET_PASSWORD = "UPDATE accounts SET password_hash = $2 \
        WHERE id = $1 AND ($3::text IS NULL OR password_hash = $3)";
    SET_ROLE = "UPDATE accounts SET role = $2 WHERE id = $1";
    SUSPEND = "UPDATE accounts SET suspended_at = coalesce(suspended_at, $2) WHERE id = $1";
    RESUME = "UPDATE accounts SET suspended_at = NULL WHERE id = $1";
    DELETE_SESSIONS = "DELETE FROM sessions WHERE account_id = $1";
    /// Of two changes that would each leave the other's admin, one waits for the other. "kgad"
    LOCK_ADMINS = "SELECT pg_advisory_xact_lock(1801937252)";
    IS_LAST_ADMIN = "SELECT 1 FROM accounts WHERE id = $1 AND role = 'admin' AND suspended_at IS NULL \
        AND NOT EXISTS (SELECT 1 FROM accounts \
            WHERE role = 'admin' AND suspended_at IS NULL AND id <> $1)";
    KEY_HASHES = "SELECT hash FROM api_keys WHERE account_id = $1";
    EXISTS = "SELECT 1 FROM accounts WHERE id = $1";
    HAS_ADMIN = "SELECT 1 FROM accounts WHERE role = 'admin' AND suspended_at IS NULL LIMIT 1";
}

/// Why somebody may not make an account, if so.
async fn refusal(
    db: &mut PgConnection,
    admission: Admission,
    now: Timestamp,
) -> Result<Option<InsertAccount>, StorageError> {
    let refusal = match admission {
        Admission::Free => None,
        Admission::Open if exists(db, query(ANY_ACCOUNT)).await? => None,
        Admission::Open => Some(InsertAccount::NotSetUp),
        Admission::Invitation(token) => refusal_by_invitation(db, token, now).await?,
    };
    Ok(refusal)
}

async fn refusal_by_invitation(
    db: &mut PgConnection,
    token_hash: TokenHash,
    now: Timestamp,
) -> Result<Option<InsertAccount>, StorageError> {
    let invitation = links::lock_invitation(db, token_hash).await?;
    let Some(invitation) = invitation.filter(|invitation| now < invitation.expires_at) else {
        return Ok(Some(InsertAccount::InvitationInvalid));
    };
    let is_set_up = exists(db, query(ANY_ACCOUNT)).await?;
    Ok(invitation.kind.refusal(is_set_up))
}

/// Whether nobody would look after the others without this account. Where a session does it, that is another
/// admin's, or over, as is said when it is audited.
async fn is_last_admin(
    db: &mut PgConnection,
    account_id: AccountId,
    audit: &AuditEntry,
) -> Result<bool, StorageError> {
    let by_session = audit.actor.session_id().is_some();
    Ok(!by_session && exists(db, query(IS_LAST_ADMIN).bind(account_id.uuid())).await?)
}

async fn end_sessions(db: &mut PgConnection, account_id: AccountId) -> Result<(), StorageError> {
    let delete = query(DELETE_SESSIONS).bind(account_id.uuid());
    execute(db, delete).await.map(|_| ())
}

async fn set_password(
    db: &mut Write,
    account_id: AccountId,
    replaces: Option<&str>,
    new: &NewPassword,
    audit: &AuditEntry,
) -> Result<SetPassword, StorageError> {
    db.lock_accounts(account_id, audit).await?;
    let set = query(SET_PASSWORD)
        .bind(account_id.uuid())
        .bind(&new.hash)
        .bind(replaces);
    if execute(db, set).await? == 0 {
        let exists = exists(db, query(EXISTS).bind(account_id.uuid())).await?;
        return Ok(if exists {
            SetPassword::Overtaken
        } else {
            SetPassword::NotFound
        });
    }
    // Before the sessions end: the change may be made by one of them.
    db.audit(audit).await?;
    end_sessions(db, account_id).await?;
    links::forget(db, account_id).await?;
    begin(db, new.session.as_ref()).await?;
    Ok(SetPassword::Set)
}

/// Begins the session, if there is one to begin.
async fn begin(db: &mut Write, session: Option<&BeginSession>) -> Result<(), StorageError> {
    let Some(BeginSession { session, audit }) = session else {
        return Ok(());
    };
    sessions::insert(db, session).await?;
    db.audit(audit).await
}

async fn keys_changed(db: &mut Write, account_id: AccountId) -> Result<(), StorageError> {
    let hashes = query(KEY_HASHES).bind(account_id.uuid());
    for hash in all(db, hashes, |row| row.key_hash("hash")).await? {
        db.key_changed(hash);
    }
    Ok(())
}

#[async_trait]
impl AccountStore for PostgresStore {
    async fn insert_account(
        &self,
        account: NewAccount,
        admission: Admission,
        session: Option<BeginSession>,
        audit: AuditEntry,
    ) -> Result<InsertAccount, StorageError> {
        self.write(move |db| {
            async move {
                links::lock(db).await?;
                if let Some(refusal) = refusal(db, admission, account.created_at).await? {
                    return Ok(refusal);
                }
                let row = query(INSERT)
                    .bind(account.id.uuid())
                    .bind(account.email.as_str())
                    .bind(&account.password_hash)
                    .bind(account.role.as_str())
                    .bind(account.created_at.as_millis());
                if execute(db, row).await? == 0 {
                    return Ok(InsertAccount::EmailTaken);
                }
                links::use_up(db, admission).await?;
                db.audit(&audit).await?;
                begin(db, session.as_ref()).await?;
                Ok(InsertAccount::Inserted)
            }
            .boxed()
        })
        .await
    }

    async fn lookup_account(
        &self,
        email: &EmailAddress,
    ) -> Result<Option<StoredAccount>, StorageError> {
        let email = email.as_str().to_owned();
        self.read(move |db| {
            optional(db, query(LOOKUP).bind(email.clone()), |row| {
                row.stored_account()
            })
            .boxed()
        })
        .await
    }

    async fn lookup_account_summary(
        &self,
        account_id: AccountId,
        now: Timestamp,
    ) -> Result<Option<AccountSummary>, StorageError> {
        self.read(move |db| {
            let lookup = query(SUMMARY).bind(now.as_millis()).bind(account_id.uuid());
            optional(db, lookup, |row| row.account_summary()).boxed()
        })
        .await
    }

    async fn list_accounts(
        &self,
        page: AccountPage,
        now: Timestamp,
    ) -> Result<Vec<AccountSummary>, StorageError> {
        self.read(move |db| {
            let list = query(LIST)
                .bind(now.as_millis())
                .bind(page.search.clone())
                .bind(page.after.map(|id| id.uuid()))
                .bind(i64::from(page.limit));
            all(db, list, |row| row.account_summary()).boxed()
        })
        .await
    }

    async fn has_admin(&self) -> Result<bool, StorageError> {
        self.read(|db| exists(db, query(HAS_ADMIN)).boxed()).await
    }

    async fn set_role(
        &self,
        account_id: AccountId,
        role: Role,
        audit: AuditEntry,
    ) -> Result<ChangeAccount, StorageError> {
        self.write(move |db| {
            async move {
                execute(db, query(LOCK_ADMINS)).await?;
                db.lock_accounts(account_id, &audit).await?;
                if role != Role::Admin && is_last_admin(db, account_id, &audit).await? {
                    return Ok(ChangeAccount::LastAdmin);
                }
                let set = query(SET_ROLE).bind(account_id.uuid()).bind(role.as_str());
                if execute(db, set).await? == 0 {
                    return Ok(ChangeAccount::NotFound);
                }
                db.audit(&audit).await?;
                end_sessions(db, account_id).await?;
                links::forget(db, account_id).await?;
                Ok(ChangeAccount::Changed)
            }
            .boxed()
        })
        .await
    }

    async fn set_password(
        &self,
        account_id: AccountId,
        replaces: Option<String>,
        new: NewPassword,
        audit: AuditEntry,
    ) -> Result<SetPassword, StorageError> {
        self.write(move |db| {
            async move { set_password(db, account_id, replaces.as_deref(), &new, &audit).await }
                .boxed()
        })
        .await
    }

    async fn reset_password(
        &self,
        token_hash: TokenHash,
        new: NewPassword,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            async move {
                let Some((_, account)) = links::lookup_reset(db, token_hash).await? else {
                    return Ok(false);
                };
                // The account first, as everybody does; then the link must still be there.
                db.lock_accounts(account.id, &audit).await?;
                match links::lock_reset(db, token_hash).await? {
                    Some((reset, account))
                        if audit.at < reset.expires_at && account.suspended_at.is_none() =>
                    {
                        let set = set_password(db, account.id, None, &new, &audit).await?;
                        Ok(set == SetPassword::Set)
                    }
                    _ => Ok(false),
                }
            }
            .boxed()
        })
        .await
    }

    async fn suspend_account(
        &self,
        account_id: AccountId,
        audit: AuditEntry,
    ) -> Result<ChangeAccount, StorageError> {
        self.write(move |db| {
            async move {
                execute(db, query(LOCK_ADMINS)).await?;
                db.lock_accounts(account_id, &audit).await?;
                if is_last_admin(db, account_id, &audit).await? {
                    return Ok(ChangeAccount::LastAdmin);
                }
                let suspend = query(SUSPEND)
                    .bind(account_id.uuid())
                    .bind(audit.at.as_millis());
                if execute(db, suspend).await? == 0 {
                    return Ok(ChangeAccount::NotFound);
                }
                // Before the sessions end: they may be those of whoever suspends.
                db.audit(&audit).await?;
                end_sessions(db, account_id).await?;
                links::forget(db, account_id).await?;
                keys_changed(db, account_id).await?;
                Ok(ChangeAccount::Changed)
            }
            .boxed()
        })
        .await
    }

    async fn resume_account(
        &self,
        account_id: AccountId,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            async move {
                db.lock_accounts(account_id, &audit).await?;
                if execute(db, query(RESUME).bind(account_id.uuid())).await? == 0 {
                    return Ok(false);
                }
                keys_changed(db, account_id).await?;
                db.audit(&audit).await?;
                Ok(true)
            }
            .boxed()
        })
        .await
    }
}
