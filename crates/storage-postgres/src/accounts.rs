use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_core::{Account, AccountId, EmailAddress, TokenHash};
use keygate_storage::{
    AccountStore, Admission, AuditEntry, Columns, InsertAccount, Invitation, InvitationKind,
    NewAccount, StorageError, StoredAccount, account_columns, statements,
};
use sqlx::{PgConnection, query};

use crate::{
    PostgresStore,
    query::{all, execute, exists, optional},
    row::ToUuid,
    write::Write,
};

statements! {
    INSERT = "INSERT INTO accounts (id, email, password_hash, created_at) \
        VALUES ($1, $2, $3, $4) ON CONFLICT (email) DO NOTHING";
    LOOKUP = concat!("SELECT ", account_columns!(), ", password_hash FROM accounts WHERE email = $1");
    LIST = concat!("SELECT ", account_columns!(), " FROM accounts ORDER BY id");
    ANY_ACCOUNT = "SELECT 1 FROM accounts LIMIT 1";
    SET_PASSWORD = "UPDATE accounts SET password_hash = $2 WHERE id = $1";
    SUSPEND = "UPDATE accounts SET suspended_at = coalesce(suspended_at, $2) WHERE id = $1";
    RESUME = "UPDATE accounts SET suspended_at = NULL WHERE id = $1";
    DELETE_SESSIONS = "DELETE FROM sessions WHERE account_id = $1";
    KEY_HASHES = "SELECT hash FROM api_keys WHERE account_id = $1";
    /// One at a time makes or uses invitations. "kgin"
    LOCK_INVITATIONS = "SELECT pg_advisory_xact_lock(1802987886)";
    DELETE_SETUP = "DELETE FROM invitations WHERE kind = 'setup'";
    INSERT_INVITATION = "INSERT INTO invitations (token_hash, kind, created_at, expires_at) \
        VALUES ($1, $2, $3, $4)";
    LOOKUP_INVITATION = "SELECT * FROM invitations WHERE token_hash = $1";
    DELETE_INVITATION = "DELETE FROM invitations WHERE token_hash = $1";
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

    async fn list_accounts(&self) -> Result<Vec<Account>, StorageError> {
        self.read(|db| all(db, query(LIST), |row| row.account()).boxed())
            .await
    }

    async fn set_password(
        &self,
        account_id: AccountId,
        password_hash: String,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            async move {
                let set = query(SET_PASSWORD)
                    .bind(account_id.uuid())
                    .bind(&password_hash);
                if execute(db, set).await? == 0 {
                    return Ok(false);
                }
                // Before the sessions end: the change may be made by one of them.
                db.audit(&audit).await?;
                end_sessions(db, account_id).await?;
                Ok(true)
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
                let suspend = query(SUSPEND)
                    .bind(account_id.uuid())
                    .bind(audit.at.as_millis());
                if execute(db, suspend).await? == 0 {
                    return Ok(false);
                }
                end_sessions(db, account_id).await?;
                keys_changed(db, account_id).await?;
                db.audit(&audit).await?;
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
