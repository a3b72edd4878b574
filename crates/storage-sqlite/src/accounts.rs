use async_trait::async_trait;
use keygate_core::{AccountId, EmailAddress, Role, Timestamp, TokenHash};
use keygate_storage::{
    AccountPage, AccountStore, AccountSummary, Admission, AuditEntry, BeginSession, ChangeAccount,
    Columns, InsertAccount, NewAccount, NewPassword, SetPassword, StorageError, StoredAccount,
    account_columns, statements,
};
use rusqlite::{Connection, params};

use crate::{SqliteStore, links, query, sessions, writer::Write};

/// An account and the numbers of its keys at `?1`.
macro_rules! summaries {
    () => {
        concat!(
            "SELECT ",
            account_columns!(),
            ", (SELECT count(*) FROM api_keys WHERE account_id = accounts.id) AS keys, \
             (SELECT count(*) FROM api_keys WHERE account_id = accounts.id AND is_active = 1 \
              AND (expires_at IS NULL OR expires_at > ?1)) AS active_keys, \
             (SELECT expires_at FROM password_resets WHERE account_id = accounts.id \
              AND expires_at > ?1) AS reset_ends_at FROM accounts "
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
    SET_PASSWORD = "UPDATE accounts SET password_hash = ?2 \
        WHERE id = ?1 AND (?3 IS NULL OR password_hash = ?3)";
    SET_ROLE = "UPDATE accounts SET role = ?2 WHERE id = ?1";
    SUSPEND = "UPDATE accounts SET suspended_at = coalesce(suspended_at, ?2) WHERE id = ?1";
    RESUME = "UPDATE accounts SET suspended_at = NULL WHERE id = ?1";
    DELETE_SESSIONS = "DELETE FROM sessions WHERE account_id = ?";
    EXISTS = "SELECT 1 FROM accounts WHERE id = ?";
    HAS_ADMIN = "SELECT 1 FROM accounts WHERE role = 'admin' AND suspended_at IS NULL LIMIT 1";
    IS_LAST_ADMIN = "SELECT 1 FROM accounts WHERE id = ?1 AND role = 'admin' AND suspended_at IS NULL \
        AND NOT EXISTS (SELECT 1 FROM accounts \
            WHERE role = 'admin' AND suspended_at IS NULL AND id <> ?1)";
    KEY_HASHES = "SELECT hash FROM api_keys WHERE account_id = ?";
}

/// Why somebody may not make an account, if so.
fn refusal(
    db: &Connection,
    admission: Admission,
    now: Timestamp,
) -> Result<Option<InsertAccount>, StorageError> {
    let refusal = match admission {
        Admission::Free => None,
        Admission::Open if query::exists(db, ANY_ACCOUNT, [])? => None,
        Admission::Open => Some(InsertAccount::NotSetUp),
        Admission::Invitation(token) => refusal_by_invitation(db, token, now)?,
    };
    Ok(refusal)
}

fn refusal_by_invitation(
    db: &Connection,
    token_hash: TokenHash,
    now: Timestamp,
) -> Result<Option<InsertAccount>, StorageError> {
    let invitation = links::lookup_invitation(db, token_hash)?;
    let Some(invitation) = invitation.filter(|invitation| now < invitation.expires_at) else {
        return Ok(Some(InsertAccount::InvitationInvalid));
    };
    let is_set_up = query::exists(db, ANY_ACCOUNT, [])?;
    Ok(invitation.kind.refusal(is_set_up))
}

/// Whether nobody would look after the others without this account. Where a session does it, that is another
/// admin's, or over, as is said when it is audited.
fn is_last_admin(
    db: &Connection,
    account_id: AccountId,
    audit: &AuditEntry,
) -> Result<bool, StorageError> {
    let by_session = audit.actor.session_id().is_some();
    Ok(!by_session && query::exists(db, IS_LAST_ADMIN, [account_id.as_bytes()])?)
}

fn end_sessions(db: &Write<'_>, account_id: AccountId) -> Result<(), StorageError> {
    query::execute(db, DELETE_SESSIONS, [account_id.as_bytes()]).map(|_| ())
}

fn set_password(
    db: &Write<'_>,
    account_id: AccountId,
    replaces: Option<&str>,
    new: &NewPassword,
    audit: &AuditEntry,
) -> Result<SetPassword, StorageError> {
    let params = params![account_id.as_bytes(), new.hash, replaces];
    if query::execute(db, SET_PASSWORD, params)? == 0 {
        let exists = query::exists(db, EXISTS, [account_id.as_bytes()])?;
        return Ok(if exists {
            SetPassword::Overtaken
        } else {
            SetPassword::NotFound
        });
    }
    // Before the sessions end: the change may be made by one of them.
    db.audit(audit)?;
    end_sessions(db, account_id)?;
    links::forget(db, account_id)?;
    begin(db, new.session.as_ref())?;
    Ok(SetPassword::Set)
}

/// Begins the session, if there is one to begin.
fn begin(db: &Write<'_>, session: Option<&BeginSession>) -> Result<(), StorageError> {
    let Some(BeginSession { session, audit }) = session else {
        return Ok(());
    };
    sessions::insert(db, session)?;
    db.audit(audit)
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
        session: Option<BeginSession>,
        audit: AuditEntry,
    ) -> Result<InsertAccount, StorageError> {
        self.write(move |db| {
            if let Some(refusal) = refusal(db, admission, account.created_at)? {
                return Ok(refusal);
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
            links::use_up(db, admission)?;
            db.audit(&audit)?;
            begin(db, session.as_ref())?;
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

    async fn has_admin(&self) -> Result<bool, StorageError> {
        self.read(|db| query::exists(db, HAS_ADMIN, [])).await
    }

    async fn set_role(
        &self,
        account_id: AccountId,
        role: Role,
        audit: AuditEntry,
    ) -> Result<ChangeAccount, StorageError> {
        self.write(move |db| {
            if role != Role::Admin && is_last_admin(db, account_id, &audit)? {
                return Ok(ChangeAccount::LastAdmin);
            }
            let params = params![account_id.as_bytes(), role.as_str()];
            if query::execute(db, SET_ROLE, params)? == 0 {
                return Ok(ChangeAccount::NotFound);
            }
            db.audit(&audit)?;
            end_sessions(db, account_id)?;
            links::forget(db, account_id)?;
            Ok(ChangeAccount::Changed)
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
        self.write(move |db| set_password(db, account_id, replaces.as_deref(), &new, &audit))
            .await
    }

    async fn reset_password(
        &self,
        token_hash: TokenHash,
        new: NewPassword,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| match links::lookup_reset(db, token_hash)? {
            Some((reset, account))
                if audit.at < reset.expires_at && account.suspended_at.is_none() =>
            {
                let set = set_password(db, account.id, None, &new, &audit)?;
                Ok(set == SetPassword::Set)
            }
            _ => Ok(false),
        })
        .await
    }

    async fn suspend_account(
        &self,
        account_id: AccountId,
        audit: AuditEntry,
    ) -> Result<ChangeAccount, StorageError> {
        self.write(move |db| {
            if is_last_admin(db, account_id, &audit)? {
                return Ok(ChangeAccount::LastAdmin);
            }
            let params = params![account_id.as_bytes(), audit.at.as_millis()];
            if query::execute(db, SUSPEND, params)? == 0 {
                return Ok(ChangeAccount::NotFound);
            }
            // Before the sessions end: they may be those of whoever suspends.
            db.audit(&audit)?;
            end_sessions(db, account_id)?;
            links::forget(db, account_id)?;
            keys_changed(db, account_id)?;
            Ok(ChangeAccount::Changed)
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
}
