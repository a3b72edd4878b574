use async_trait::async_trait;
use keygate_core::{Account, AccountId, LinkId, SessionId, Timestamp, TokenHash};
use keygate_storage::{
    Admission, AuditEntry, Columns, Invitation, InvitationKind, Link, LinkPage, LinkStore,
    MAX_SETUP_LINKS, PasswordReset, StorageError, account_columns, links, statements,
};
use rusqlite::{Connection, params};

use crate::{SqliteStore, query, writer::Write};

statements! {
    ANY_ACCOUNT = "SELECT 1 FROM accounts LIMIT 1";
    ACCOUNT_EXISTS = "SELECT 1 FROM accounts WHERE id = ?";
    LIST = concat!(
        links!("NULL"),
        "WHERE expires_at > ?1 AND (?2 IS NULL OR links.id < ?2) ORDER BY links.id DESC LIMIT ?3"
    );
    LOOKUP = concat!(links!("NULL"), "WHERE links.id = ?");
    INSERT_INVITATION = "INSERT INTO invitations \
        (token_hash, id, kind, created_by, session_id, created_at, expires_at) \
        VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING";
    LOOKUP_INVITATION = "SELECT * FROM invitations WHERE token_hash = ?";
    USE_UP = "DELETE FROM invitations WHERE token_hash = ? OR kind = 'setup'";
    /// Set-up links that are over, and all but so many of the newest.
    DELETE_OLD_SETUPS = "DELETE FROM invitations WHERE kind = 'setup' AND (expires_at <= ?1 OR id NOT IN \
        (SELECT id FROM invitations WHERE kind = 'setup' ORDER BY created_at DESC, id DESC LIMIT ?2))";
    INSERT_RESET = "REPLACE INTO password_resets \
        (account_id, token_hash, id, created_by, session_id, created_at, expires_at) \
        VALUES (?, ?, ?, ?, ?, ?, ?)";
    LOOKUP_RESET = concat!(
        "SELECT ", account_columns!(), ", password_resets.* \
         FROM password_resets JOIN accounts ON accounts.id = account_id WHERE token_hash = ?"
    );
    DELETE_INVITATION = "DELETE FROM invitations WHERE id = ?";
    DELETE_RESET = "DELETE FROM password_resets WHERE id = ?";
    FORGET_RESETS = "DELETE FROM password_resets WHERE account_id = ?1 OR created_by = ?1";
    FORGET_INVITATIONS = "DELETE FROM invitations WHERE created_by = ?";
    FORGET_RESETS_OF_SESSION = "DELETE FROM password_resets WHERE session_id = ?";
    FORGET_INVITATIONS_OF_SESSION = "DELETE FROM invitations WHERE session_id = ?";
    FORGET_OTHER_RESETS = "DELETE FROM password_resets \
        WHERE created_by = ?1 AND session_id IS NOT ?2";
    FORGET_OTHER_INVITATIONS = "DELETE FROM invitations \
        WHERE created_by = ?1 AND session_id IS NOT ?2";
}

pub(crate) fn lookup_invitation(
    db: &Connection,
    token_hash: TokenHash,
) -> Result<Option<Invitation>, StorageError> {
    let token = [token_hash.as_bytes()];
    query::optional(db, LOOKUP_INVITATION, token, |row| row.invitation())
}

pub(crate) fn lookup_reset(
    db: &Connection,
    token_hash: TokenHash,
) -> Result<Option<(PasswordReset, Account)>, StorageError> {
    let token = [token_hash.as_bytes()];
    query::optional(db, LOOKUP_RESET, token, |row| row.password_reset())
}

/// Uses up the invitation by which an account was made, and every set-up link: there is an account now.
pub(crate) fn use_up(db: &Write<'_>, admission: Admission) -> Result<(), StorageError> {
    let token = match &admission {
        Admission::Invitation(token_hash) => Some(token_hash.as_bytes()),
        Admission::Free | Admission::Open => None,
    };
    query::execute(db, USE_UP, [token]).map(|_| ())
}

/// Forgets every link that an account made or that resets its password.
pub(crate) fn forget(db: &Write<'_>, account_id: AccountId) -> Result<(), StorageError> {
    for delete in [FORGET_RESETS, FORGET_INVITATIONS] {
        query::execute(db, delete, [account_id.as_bytes()])?;
    }
    Ok(())
}

/// Forgets every link that a session made.
pub(crate) fn forget_of_session(db: &Write<'_>, id: SessionId) -> Result<(), StorageError> {
    for delete in [FORGET_RESETS_OF_SESSION, FORGET_INVITATIONS_OF_SESSION] {
        query::execute(db, delete, [id.as_bytes()])?;
    }
    Ok(())
}

/// Forgets every link that an account made otherwise than by this session.
pub(crate) fn forget_others(
    db: &Write<'_>,
    account_id: AccountId,
    kept: SessionId,
) -> Result<(), StorageError> {
    for delete in [FORGET_OTHER_RESETS, FORGET_OTHER_INVITATIONS] {
        query::execute(db, delete, [account_id.as_bytes(), kept.as_bytes()])?;
    }
    Ok(())
}

#[async_trait]
impl LinkStore for SqliteStore {
    async fn insert_invitation(
        &self,
        invitation: Invitation,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            if invitation.kind == InvitationKind::Setup {
                if query::exists(db, ANY_ACCOUNT, [])? {
                    return Ok(false);
                }
                let old = params![invitation.created_at.as_millis(), MAX_SETUP_LINKS - 1];
                query::execute(db, DELETE_OLD_SETUPS, old)?;
            }
            let row = params![
                invitation.token_hash.as_bytes(),
                invitation.id.as_bytes(),
                invitation.kind.as_str(),
                invitation.created_by.as_ref().map(AccountId::as_bytes),
                invitation.session_id.as_ref().map(SessionId::as_bytes),
                invitation.created_at.as_millis(),
                invitation.expires_at.as_millis(),
            ];
            let is_new = query::execute(db, INSERT_INVITATION, row)? > 0;
            if is_new {
                db.audit(&audit)?;
            }
            Ok(is_new)
        })
        .await
    }

    async fn lookup_invitation(
        &self,
        token_hash: TokenHash,
    ) -> Result<Option<Invitation>, StorageError> {
        self.read(move |db| lookup_invitation(db, token_hash)).await
    }

    async fn insert_password_reset(
        &self,
        reset: PasswordReset,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            let account_id = reset.account_id.as_bytes();
            if !query::exists(db, ACCOUNT_EXISTS, [account_id])? {
                return Ok(false);
            }
            let row = params![
                account_id,
                reset.token_hash.as_bytes(),
                reset.id.as_bytes(),
                reset.created_by.as_ref().map(AccountId::as_bytes),
                reset.session_id.as_ref().map(SessionId::as_bytes),
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

    async fn list_links(&self, page: LinkPage, now: Timestamp) -> Result<Vec<Link>, StorageError> {
        self.read(move |db| {
            let before = page.before.as_ref().map(LinkId::as_bytes);
            let params = params![now.as_millis(), before, page.limit];
            query::all(db, LIST, params, |row| row.link())
        })
        .await
    }

    async fn lookup_link(&self, id: LinkId) -> Result<Option<Link>, StorageError> {
        self.read(move |db| query::optional(db, LOOKUP, [id.as_bytes()], |row| row.link()))
            .await
    }

    async fn delete_link(&self, id: LinkId, audit: AuditEntry) -> Result<bool, StorageError> {
        self.write(move |db| {
            let mut deleted = 0;
            for delete in [DELETE_INVITATION, DELETE_RESET] {
                deleted += query::execute(db, delete, [id.as_bytes()])?;
            }
            if deleted > 0 {
                db.audit(&audit)?;
            }
            Ok(deleted > 0)
        })
        .await
    }
}
