use async_trait::async_trait;
use keygate_core::{Account, AccountId, EmailAddress, Role, Timestamp, TokenHash};
use keygate_storage::{
    AccountPage, AccountStore, AccountSummary, Admission, AuditEntry, Columns, InsertAccount,
    Invitation, InvitationKind, NewAccount, PasswordReset, StorageError, StoredAccount,
    account_columns, statements,
};
use rusqlite::{Connection, params};

use crate::{SqliteStore, query, writer::Write};

/// An account and the numbers of its keys at `?1`.
macro_rules! summaries {
    () => {
        concat!(
            "SELECT ",
            account_columns!(),
            ", (SELECT count(*) FROM api_keys WHERE account_id = accounts.id) AS keys, \
             (SELECT count(*) FROM api_keys WHERE account_id = accounts.id AND is_active = 1 \
              AND (expires_at IS NULL OR expires_at > ?1)) AS active_keys FROM accounts "
        )
    };
}

statements! {
    LOOKUP = concat!("SELECT ", account_columns!(), ", password_hash FROM accounts WHERE email = ?");
    SUMMARY = concat!(summaries!(), "WHERE id = ?2");
    LIST = concat!(
        summaries!(),
        "WHERE (?2 IS NULL OR instr(email, ?2) > 0) AND (?3 IS NULL OR id > ?3) ORDER BY id LIMIT ?4"
    );
    ANY_ACCOUNT = "SELECT 1 FROM accounts LIMIT 1";
    EMAIL_TAKEN = "SELECT 1 FROM accounts WHERE email = ?";
    INSERT = "INSERT INTO accounts (id, email, password_hash, role, created_at) VALUES (?, ?, ?, ?, ?)";
    SET_PASSWORD = "UPDATE accounts SET password_hash = ?2 WHERE id = ?1";
    SET_ROLE = "UPDATE accounts SET role = ?2 WHERE id = ?1";
    SUSPEND = "UPDATE accounts SET suspended_at = coalesce(suspended_at, ?2) WHERE id = ?1";
    RESUME = "UPDATE accounts SET suspended_at = NULL WHERE id = ?1";
    DELETE_SESSIONS = "DELETE FROM sessions WHERE account_id = ?";
    KEY_HASHES = "SELECT hash FROM api_keys WHERE account_id = ?";
    DELETE_SETUP = "DELETE FROM invitations WHERE kind = 'setup'";
    INSERT_INVITATION = "INSERT INTO invitations (token_hash, kind, created_by, created_at, expires_at) \
        VALUES (?, ?, ?, ?, ?)";
    LOOKUP_INVITATION = "SELECT * FROM invitations WHERE token_hash = ?";
    DELETE_INVITATION = "DELETE FROM invitations WHERE token_hash = ?";
    EXISTS = "SELECT 1 FROM accounts WHERE id = ?";
    INSERT_RESET = "REPLACE INTO password_resets \
        (account_id, token_hash, created_by, created_at, expires_at) VALUES (?, ?, ?, ?, ?)";
    LOOKUP_RESET = concat!(
        "SELECT ", account_columns!(), ", password_resets.* \
         FROM password_resets JOIN accounts ON accounts.id = account_id WHERE token_hash = ?"
    );
    DELETE_RESET = "DELETE FROM password_resets WHERE account_id = ?";
    DELETE_RESETS_BY = "DELETE FROM password_resets WHERE created_by = ?";
    DELETE_INVITATIONS_BY = "DELETE FROM invitations WHERE created_by = ?";
}

fn lookup_invitation(
    db: &Connection,
    token_hash: TokenHash,
) -> Result<Option<Invitation>, StorageError> {
    let token = [token_hash.as_bytes()];
    query::optional(db, LOOKUP_INVITATION, token, |row| row.invitation())
}

fn admits(db: &Connection, admission: Admission, now: Timestamp) -> Result<bool, StorageError> {
    let Admission::Invitation(token_hash) = admission else {
        return Ok(true);
    };
    let Some(invitation) = lookup_invitation(db, token_hash)? else {
        return Ok(false);
    };
    let fresh = now < invitation.expires_at;
    let welcome = invitation.kind != InvitationKind::Setup || !query::exists(db, ANY_ACCOUNT, [])?;
    Ok(fresh && welcome)
}

fn end_sessions(db: &Write<'_>, account_id: AccountId) -> Result<(), StorageError> {
    query::execute(db, DELETE_SESSIONS, [account_id.as_bytes()]).map(|_| ())
}

fn set_password(
    db: &Write<'_>,
    account_id: AccountId,
    password_hash: &str,
    audit: &AuditEntry,
) -> Result<bool, StorageError> {
    let params = params![account_id.as_bytes(), password_hash];
    if query::execute(db, SET_PASSWORD, params)? == 0 {
        return Ok(false);
    }
    // Before the sessions end: the change may be made by one of them.
    db.audit(audit)?;
    end_sessions(db, account_id)?;
    query::execute(db, DELETE_RESET, [account_id.as_bytes()])?;
    Ok(true)
}

/// Forgets every link that an account made or that resets its password.
fn forget_links(db: &Write<'_>, account_id: AccountId) -> Result<(), StorageError> {
    for delete in [DELETE_RESET, DELETE_RESETS_BY, DELETE_INVITATIONS_BY] {
        query::execute(db, delete, [account_id.as_bytes()])?;
    }
    Ok(())
}

fn lookup_reset(
    db: &Connection,
    token_hash: TokenHash,
) -> Result<Option<(PasswordReset, Account)>, StorageError> {
    let token = [token_hash.as_bytes()];
    query::optional(db, LOOKUP_RESET, token, |row| row.password_reset())
}

fn keys_changed(db: &mut Write<'_>, account_id: AccountId) -> Result<(), StorageError> {
    let id = [account_id.as_bytes()];
    for hash in query::all(db, KEY_HASHES, id, |row| row.key_hash("hash"))? {
        db.key_changed(hash);
    }
    Ok(())
}

#[async_trait]
impl AccountStore for SqliteStore {
    async fn insert_account(
        &self,
        account: NewAccount,
        admission: Admission,
        audit: AuditEntry,
    ) -> Result<InsertAccount, StorageError> {
        self.write(move |db| {
            if !admits(db, admission, account.created_at)? {
                return Ok(InsertAccount::InvitationInvalid);
            }
            let email = account.email.as_str();
            if query::exists(db, EMAIL_TAKEN, [email])? {
                return Ok(InsertAccount::EmailTaken);
            }
            let row = params![
                account.id.as_bytes(),
                email,
                account.password_hash,
                account.role.as_str(),
                account.created_at.as_millis(),
            ];
            query::execute(db, INSERT, row)?;
            if let Admission::Invitation(token_hash) = admission {
                query::execute(db, DELETE_INVITATION, [token_hash.as_bytes()])?;
            }
            db.audit(&audit)?;
            Ok(InsertAccount::Inserted)
        })
        .await
    }

    async fn lookup_account(
        &self,
        email: &EmailAddress,
    ) -> Result<Option<StoredAccount>, StorageError> {
        let email = email.clone();
        self.read(move |db| {
            query::optional(db, LOOKUP, [email.as_str()], |row| row.stored_account())
        })
        .await
    }

    async fn lookup_account_summary(
        &self,
        account_id: AccountId,
        now: Timestamp,
    ) -> Result<Option<AccountSummary>, StorageError> {
        self.read(move |db| {
            let params = params![now.as_millis(), account_id.as_bytes()];
            query::optional(db, SUMMARY, params, |row| row.account_summary())
        })
        .await
    }

    async fn list_accounts(
        &self,
        page: AccountPage,
        now: Timestamp,
    ) -> Result<Vec<AccountSummary>, StorageError> {
        self.read(move |db| {
            let params = params![
                now.as_millis(),
                page.search,
                page.after.as_ref().map(AccountId::as_bytes),
                page.limit,
            ];
            query::all(db, LIST, params, |row| row.account_summary())
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
            let params = params![account_id.as_bytes(), role.as_str()];
            if query::execute(db, SET_ROLE, params)? == 0 {
                return Ok(false);
            }
            db.audit(&audit)?;
            end_sessions(db, account_id)?;
            forget_links(db, account_id)?;
            Ok(true)
        })
        .await
    }

    async fn set_password(
        &self,
        account_id: AccountId,
        password_hash: String,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| set_password(db, account_id, &password_hash, &audit))
            .await
    }

    async fn insert_password_reset(
        &self,
        reset: PasswordReset,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            let account_id = reset.account_id.as_bytes();
            if !query::exists(db, EXISTS, [account_id])? {
                return Ok(false);
            }
            let row = params![
                account_id,
                reset.token_hash.as_bytes(),
                reset.created_by.as_ref().map(AccountId::as_bytes),
                reset.created_at.as_millis(),
                reset.expires_at.as_millis(),
            ];
            query::execute(db, INSERT_RESET, row)?;
            db.audit(&audit)?;
            Ok(true)
        })
        .await
    }

    async fn lookup_password_reset(
        &self,
        token_hash: TokenHash,
    ) -> Result<Option<(PasswordReset, Account)>, StorageError> {
        self.read(move |db| lookup_reset(db, token_hash)).await
    }

    async fn reset_password(
        &self,
        token_hash: TokenHash,
        password_hash: String,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| match lookup_reset(db, token_hash)? {
            Some((reset, account))
                if audit.at < reset.expires_at && account.suspended_at.is_none() =>
            {
                set_password(db, account.id, &password_hash, &audit)
            }
            _ => Ok(false),
        })
        .await
    }

    async fn suspend_account(
        &self,
        account_id: AccountId,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            let params = params![account_id.as_bytes(), audit.at.as_millis()];
            if query::execute(db, SUSPEND, params)? == 0 {
                return Ok(false);
            }
            // Before the sessions end: they may be those of whoever suspends.
            db.audit(&audit)?;
            end_sessions(db, account_id)?;
            forget_links(db, account_id)?;
            keys_changed(db, account_id)?;
            Ok(true)
        })
        .await
    }

    async fn resume_account(
        &self,
        account_id: AccountId,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            if query::execute(db, RESUME, [account_id.as_bytes()])? == 0 {
                return Ok(false);
            }
            keys_changed(db, account_id)?;
            db.audit(&audit)?;
            Ok(true)
        })
        .await
    }

    async fn insert_invitation(
        &self,
        invitation: Invitation,
        audit: AuditEntry,
    ) -> Result<(), StorageError> {
        self.write(move |db| {
            if invitation.kind == InvitationKind::Setup {
                query::execute(db, DELETE_SETUP, [])?;
            }
            let row = params![
                invitation.token_hash.as_bytes(),
                invitation.kind.as_str(),
                invitation.created_by.as_ref().map(AccountId::as_bytes),
                invitation.created_at.as_millis(),
                invitation.expires_at.as_millis(),
            ];
            query::execute(db, INSERT_INVITATION, row)?;
            db.audit(&audit)
        })
        .await
    }

    async fn lookup_invitation(
        &self,
        token_hash: TokenHash,
    ) -> Result<Option<Invitation>, StorageError> {
        self.read(move |db| lookup_invitation(db, token_hash)).await
    }
}
