use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_core::{Account, AccountId, EmailAddress, Role, Timestamp, TokenHash};
use keygate_storage::{
    AccountPage, AccountStore, AccountSummary, Admission, AuditEntry, Columns, InsertAccount,
    Invitation, InvitationKind, NewAccount, PasswordReset, StorageError, StoredAccount,
    account_columns, statements,
};
use sqlx::{PgConnection, query};

use crate::{
    PostgresStore,
    query::{all, execute, exists, optional},
    row::ToUuid,
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
              AND (expires_at IS NULL OR expires_at > $1)) AS active_keys FROM accounts "
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
    SET_PASSWORD = "UPDATE accounts SET password_hash = $2 WHERE id = $1";
    SET_ROLE = "UPDATE accounts SET role = $2 WHERE id = $1";
    SUSPEND = "UPDATE accounts SET suspended_at = coalesce(suspended_at, $2) WHERE id = $1";
    RESUME = "UPDATE accounts SET suspended_at = NULL WHERE id = $1";
    DELETE_SESSIONS = "DELETE FROM sessions WHERE account_id = $1";
    KEY_HASHES = "SELECT hash FROM api_keys WHERE account_id = $1";
    /// One at a time makes or uses invitations. "kgin"
    LOCK_INVITATIONS = "SELECT pg_advisory_xact_lock(1802987886)";
    DELETE_SETUP = "DELETE FROM invitations WHERE kind = 'setup'";
    INSERT_INVITATION = "INSERT INTO invitations \
        (token_hash, kind, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)";
    LOOKUP_INVITATION = "SELECT * FROM invitations WHERE token_hash = $1";
    DELETE_INVITATION = "DELETE FROM invitations WHERE token_hash = $1";
    INSERT_RESET = "INSERT INTO password_resets \
        (account_id, token_hash, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)";
    LOOKUP_RESET = concat!(
        "SELECT ", account_columns!(), ", password_resets.* \
         FROM password_resets JOIN accounts ON accounts.id = account_id WHERE token_hash = $1"
    );
    DELETE_RESET = "DELETE FROM password_resets WHERE account_id = $1";
    DELETE_RESETS_BY = "DELETE FROM password_resets WHERE created_by = $1";
    DELETE_INVITATIONS_BY = "DELETE FROM invitations WHERE created_by = $1";
}

async fn admits(
    db: &mut PgConnection,
    admission: Admission,
    account: &NewAccount,
) -> Result<bool, StorageError> {
    let Admission::Invitation(token_hash) = admission else {
        return Ok(true);
    };
    execute(db, query(LOCK_INVITATIONS)).await?;
    let lookup = query(LOOKUP_INVITATION).bind(token_hash.as_bytes().to_vec());
    let Some(invitation) = optional(db, lookup, |row| row.invitation()).await? else {
        return Ok(false);
    };
    if account.created_at >= invitation.expires_at {
        return Ok(false);
    }
    let welcome =
        invitation.kind != InvitationKind::Setup || !exists(db, query(ANY_ACCOUNT)).await?;
    Ok(welcome)
}

async fn end_sessions(db: &mut PgConnection, account_id: AccountId) -> Result<(), StorageError> {
    let delete = query(DELETE_SESSIONS).bind(account_id.uuid());
    execute(db, delete).await.map(|_| ())
}

async fn set_password(
    db: &mut Write,
    account_id: AccountId,
    password_hash: &str,
    audit: &AuditEntry,
) -> Result<bool, StorageError> {
    db.lock_accounts(account_id, audit).await?;
    let set = query(SET_PASSWORD)
        .bind(account_id.uuid())
        .bind(password_hash);
    if execute(db, set).await? == 0 {
        return Ok(false);
    }
    // Before the sessions end: the change may be made by one of them.
    db.audit(audit).await?;
    end_sessions(db, account_id).await?;
    execute(db, query(DELETE_RESET).bind(account_id.uuid())).await?;
    Ok(true)
}

/// Forgets every link that an account made or that resets its password.
async fn forget_links(db: &mut PgConnection, account_id: AccountId) -> Result<(), StorageError> {
    for delete in [DELETE_RESET, DELETE_RESETS_BY, DELETE_INVITATIONS_BY] {
        execute(db, query(delete).bind(account_id.uuid())).await?;
    }
    Ok(())
}

async fn lookup_reset(
    db: &mut PgConnection,
    token_hash: TokenHash,
) -> Result<Option<(PasswordReset, Account)>, StorageError> {
    let lookup = query(LOOKUP_RESET).bind(token_hash.as_bytes().to_vec());
    optional(db, lookup, |row| row.password_reset()).await
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
        audit: AuditEntry,
    ) -> Result<InsertAccount, StorageError> {
        self.write(move |db| {
            async move {
                if !admits(db, admission, &account).await? {
                    return Ok(InsertAccount::InvitationInvalid);
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
                if let Admission::Invitation(token_hash) = admission {
                    execute(db, query(DELETE_INVITATION).bind(token_hash.as_bytes())).await?;
                }
                db.audit(&audit).await?;
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

    async fn set_role(
        &self,
        account_id: AccountId,
        role: Role,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            async move {
                db.lock_accounts(account_id, &audit).await?;
                let set = query(SET_ROLE).bind(account_id.uuid()).bind(role.as_str());
                if execute(db, set).await? == 0 {
                    return Ok(false);
                }
                db.audit(&audit).await?;
                end_sessions(db, account_id).await?;
                forget_links(db, account_id).await?;
                Ok(true)
            }
            .boxed()
        })
        .await
    }

    async fn set_password(
        &self,
        account_id: AccountId,
        password_hash: String,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            async move { set_password(db, account_id, &password_hash, &audit).await }.boxed()
        })
        .await
    }

    async fn insert_password_reset(
        &self,
        reset: PasswordReset,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            async move {
                // So that an account has one link at a time, and none that outlives its password.
                if !db.lock_accounts(reset.account_id, &audit).await? {
                    return Ok(false);
                }
                let account_id = reset.account_id.uuid();
                execute(db, query(DELETE_RESET).bind(account_id)).await?;
                let row = query(INSERT_RESET)
                    .bind(account_id)
                    .bind(reset.token_hash.as_bytes())
                    .bind(reset.created_by.map(|id| id.uuid()))
                    .bind(reset.created_at.as_millis())
                    .bind(reset.expires_at.as_millis());
                execute(db, row).await?;
                db.audit(&audit).await?;
                Ok(true)
            }
            .boxed()
        })
        .await
    }

    async fn lookup_password_reset(
        &self,
        token_hash: TokenHash,
    ) -> Result<Option<(PasswordReset, Account)>, StorageError> {
        self.read(move |db| lookup_reset(db, token_hash).boxed())
            .await
    }

    async fn reset_password(
        &self,
        token_hash: TokenHash,
        password_hash: String,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            async move {
                let Some((_, account)) = lookup_reset(db, token_hash).await? else {
                    return Ok(false);
                };
                // The account first, as everybody does; then the link must still be there.
                db.lock_accounts(account.id, &audit).await?;
                match lookup_reset(db, token_hash).await? {
                    Some((reset, account))
                        if audit.at < reset.expires_at && account.suspended_at.is_none() =>
                    {
                        set_password(db, account.id, &password_hash, &audit).await
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
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            async move {
                db.lock_accounts(account_id, &audit).await?;
                let suspend = query(SUSPEND)
                    .bind(account_id.uuid())
                    .bind(audit.at.as_millis());
                if execute(db, suspend).await? == 0 {
                    return Ok(false);
                }
                // Before the sessions end: they may be those of whoever suspends.
                db.audit(&audit).await?;
                end_sessions(db, account_id).await?;
                forget_links(db, account_id).await?;
                keys_changed(db, account_id).await?;
                Ok(true)
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

    async fn insert_invitation(
        &self,
        invitation: Invitation,
        audit: AuditEntry,
    ) -> Result<(), StorageError> {
        self.write(move |db| {
            async move {
                execute(db, query(LOCK_INVITATIONS)).await?;
                if invitation.kind == InvitationKind::Setup {
                    execute(db, query(DELETE_SETUP)).await?;
                }
                let row = query(INSERT_INVITATION)
                    .bind(invitation.token_hash.as_bytes())
                    .bind(invitation.kind.as_str())
                    .bind(invitation.created_by.map(|id| id.uuid()))
                    .bind(invitation.created_at.as_millis())
                    .bind(invitation.expires_at.as_millis());
                execute(db, row).await?;
                db.audit(&audit).await
            }
            .boxed()
        })
        .await
    }

    async fn lookup_invitation(
        &self,
        token_hash: TokenHash,
    ) -> Result<Option<Invitation>, StorageError> {
        self.read(move |db| {
            let lookup = query(LOOKUP_INVITATION).bind(token_hash.as_bytes().to_vec());
            optional(db, lookup, |row| row.invitation()).boxed()
        })
        .await
    }
}
