use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_core::{Account, AccountId, LinkId, SessionId, Timestamp, TokenHash};
use keygate_storage::{
    Admission, AuditEntry, Columns, Invitation, InvitationKind, Link, LinkPage, LinkStore,
    MAX_SETUP_LINKS, PasswordReset, StorageError, account_columns, links, statements,
};
use sqlx::{PgConnection, query};

use crate::{
    PostgresStore,
    query::{all, execute, exists, optional},
    row::ToUuid,
};

statements! {
    /// One at a time makes or uses what lets accounts in. "kgin"
    LOCK = "SELECT pg_advisory_xact_lock(1802987886)";
    ANY_ACCOUNT = "SELECT 1 FROM accounts LIMIT 1";
    LIST = concat!(
        links!("NULL::uuid"),
        "WHERE expires_at > $1 AND ($2::uuid IS NULL OR links.id < $2) \
         ORDER BY links.id DESC LIMIT $3"
    );
    LOOKUP = concat!(links!("NULL::uuid"), "WHERE links.id = $1");
    INSERT_INVITATION = "INSERT INTO invitations \
        (token_hash, id, kind, created_by, session_id, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING";
    LOOKUP_INVITATION = "SELECT * FROM invitations WHERE token_hash = $1";
    /// Locked, so that it is not withdrawn and used as well.
    LOCK_INVITATION = "SELECT * FROM invitations WHERE token_hash = $1 FOR UPDATE";
    USE_UP = "DELETE FROM invitations WHERE token_hash = $1 OR kind = 'setup'";
    /// Set-up links that are over, and all but so many of the newest.
    DELETE_OLD_SETUPS = "DELETE FROM invitations WHERE kind = 'setup' AND (expires_at <= $1 OR id NOT IN \
        (SELECT id FROM invitations WHERE kind = 'setup' ORDER BY created_at DESC, id DESC LIMIT $2))";
    INSERT_RESET = "INSERT INTO password_resets \
        (account_id, token_hash, id, created_by, session_id, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    LOOKUP_RESET = concat!(
        "SELECT ", account_columns!(), ", password_resets.* \
         FROM password_resets JOIN accounts ON accounts.id = account_id WHERE token_hash = $1"
    );
    /// The same.
    LOCK_RESET = concat!(
        "SELECT ", account_columns!(), ", password_resets.* FROM password_resets \
         JOIN accounts ON accounts.id = account_id WHERE token_hash = $1 FOR UPDATE OF password_resets"
    );
    DELETE_RESET_OF = "DELETE FROM password_resets WHERE account_id = $1";
    DELETE_INVITATION = "DELETE FROM invitations WHERE id = $1";
    DELETE_RESET = "DELETE FROM password_resets WHERE id = $1";
    FORGET_RESETS = "DELETE FROM password_resets WHERE account_id = $1 OR created_by = $1";
    FORGET_INVITATIONS = "DELETE FROM invitations WHERE created_by = $1";
    FORGET_RESETS_OF_SESSION = "DELETE FROM password_resets WHERE session_id = $1";
    FORGET_INVITATIONS_OF_SESSION = "DELETE FROM invitations WHERE session_id = $1";
    FORGET_OTHER_RESETS = "DELETE FROM password_resets \
        WHERE created_by = $1 AND session_id IS DISTINCT FROM $2";
    FORGET_OTHER_INVITATIONS = "DELETE FROM invitations \
        WHERE created_by = $1 AND session_id IS DISTINCT FROM $2";
}

/// Lets nobody else make or use what lets accounts in, until the transaction ends.
pub(crate) async fn lock(db: &mut PgConnection) -> Result<(), StorageError> {
    execute(db, query(LOCK)).await.map(|_| ())
}

/// The invitation with this token, which stays until the transaction ends.
pub(crate) async fn lock_invitation(
    db: &mut PgConnection,
    token_hash: TokenHash,
) -> Result<Option<Invitation>, StorageError> {
    let lookup = query(LOCK_INVITATION).bind(token_hash.as_bytes());
    optional(db, lookup, |row| row.invitation()).await
}

/// The link to reset a password with this token, and its account.
pub(crate) async fn lookup_reset(
    db: &mut PgConnection,
    token_hash: TokenHash,
) -> Result<Option<(PasswordReset, Account)>, StorageError> {
    let lookup = query(LOOKUP_RESET).bind(token_hash.as_bytes().to_vec());
    optional(db, lookup, |row| row.password_reset()).await
}

/// The same, where the link stays until the transaction ends.
pub(crate) async fn lock_reset(
    db: &mut PgConnection,
    token_hash: TokenHash,
) -> Result<Option<(PasswordReset, Account)>, StorageError> {
    let lookup = query(LOCK_RESET).bind(token_hash.as_bytes());
    optional(db, lookup, |row| row.password_reset()).await
}

/// Uses up the invitation by which an account was made, and every set-up link: there is an account now.
pub(crate) async fn use_up(
    db: &mut PgConnection,
    admission: Admission,
) -> Result<(), StorageError> {
    let token = match admission {
        Admission::Invitation(token_hash) => Some(token_hash.as_bytes().to_vec()),
        Admission::Free | Admission::Open => None,
    };
    execute(db, query(USE_UP).bind(token)).await.map(|_| ())
}

/// Forgets every link that an account made or that resets its password. Its sessions are over: none
/// can make another.
pub(crate) async fn forget(
    db: &mut PgConnection,
    account_id: AccountId,
) -> Result<(), StorageError> {
    for delete in [FORGET_RESETS, FORGET_INVITATIONS] {
        execute(db, query(delete).bind(account_id.uuid())).await?;
    }
    Ok(())
}

/// Forgets every link that a session made, which is over.
pub(crate) async fn forget_of_session(
    db: &mut PgConnection,
    id: SessionId,
) -> Result<(), StorageError> {
    for delete in [FORGET_RESETS_OF_SESSION, FORGET_INVITATIONS_OF_SESSION] {
        execute(db, query(delete).bind(id.uuid())).await?;
    }
    Ok(())
}

/// Forgets every link that an account made otherwise than by this session, all others being over.
pub(crate) async fn forget_others(
    db: &mut PgConnection,
    account_id: AccountId,
    kept: SessionId,
) -> Result<(), StorageError> {
    for delete in [FORGET_OTHER_RESETS, FORGET_OTHER_INVITATIONS] {
        let delete = query(delete).bind(account_id.uuid()).bind(kept.uuid());
        execute(db, delete).await?;
    }
    Ok(())
}

#[async_trait]
impl LinkStore for PostgresStore {
    async fn insert_invitation(
        &self,
        invitation: Invitation,
        audit: AuditEntry,
    ) -> Result<bool, StorageError> {
        self.write(move |db| {
            async move {
                lock(db).await?;
                let created_at = invitation.created_at.as_millis();
                if invitation.kind == InvitationKind::Setup {
                    if exists(db, query(ANY_ACCOUNT)).await? {
                        return Ok(false);
                    }
                    let kept = i64::from(MAX_SETUP_LINKS - 1);
                    let delete = query(DELETE_OLD_SETUPS).bind(created_at).bind(kept);
                    execute(db, delete).await?;
                }
                let row = query(INSERT_INVITATION)
                    .bind(invitation.token_hash.as_bytes())
                    .bind(invitation.id.uuid())
                    .bind(invitation.kind.as_str())
                    .bind(invitation.created_by.map(|id| id.uuid()))
                    .bind(invitation.session_id.map(|id| id.uuid()))
                    .bind(created_at)
                    .bind(invitation.expires_at.as_millis());
                let is_new = execute(db, row).await? > 0;
                if is_new {
                    db.audit(&audit).await?;
                }
                Ok(is_new)
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
                execute(db, query(DELETE_RESET_OF).bind(account_id)).await?;
                let row = query(INSERT_RESET)
                    .bind(account_id)
                    .bind(reset.token_hash.as_bytes())
                    .bind(reset.id.uuid())
                    .bind(reset.created_by.map(|id| id.uuid()))
                    .bind(reset.session_id.map(|id| id.uuid()))
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

    async fn list_links(&self, page: LinkPage, now: Timestamp) -> Result<Vec<Link>, StorageError> {
        self.read(move |db| {
            let list = query(LIST)
                .bind(now.as_millis())
                .bind(page.before.map(|id| id.uuid()))
                .bind(i64::from(page.limit));
            all(db, list, |row| row.link()).boxed()
        })
        .await
    }

    async fn lookup_link(&self, id: LinkId) -> Result<Option<Link>, StorageError> {
        self.read(move |db| {
            let lookup = query(LOOKUP).bind(id.uuid());
            optional(db, lookup, |row| row.link()).boxed()
        })
        .await
    }

    async fn delete_link(&self, id: LinkId, audit: AuditEntry) -> Result<bool, StorageError> {
        self.write(move |db| {
            async move {
                let lookup = query(LOOKUP).bind(id.uuid());
                let Some(link) = optional(db, lookup, |row| row.link()).await? else {
                    return Ok(false);
                };
                // As whoever ends an account's sessions, and goes on to their links.
                if let Some(account_id) = link.account_id.or(audit.actor.account_id()) {
                    db.lock_accounts(account_id, &audit).await?;
                }
                db.require_live_session(&audit).await?;
                let mut deleted = 0;
                for delete in [DELETE_INVITATION, DELETE_RESET] {
                    deleted += execute(db, query(delete).bind(id.uuid())).await?;
                }
                if deleted > 0 {
                    db.audit(&audit).await?;
                }
                Ok(deleted > 0)
            }
            .boxed()
        })
        .await
    }
}
