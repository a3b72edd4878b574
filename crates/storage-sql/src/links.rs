use async_trait::async_trait;
use futures_util::FutureExt;
use keygate_core::{Account, AccountId, EmailAddress, LinkId, SessionId, Timestamp, TokenHash};
use keygate_storage::{
    Admission, AuditEntry, Invitation, InvitationKind, Link, LinkPage, LinkStore, MAX_SETUP_LINKS,
    Made, PasswordReset, StorageError,
};

use crate::{
    Engine, Read, SqlStore, Tx, all, audit,
    columns::account_columns,
    optional, owners,
    statement::{both, each, locked, postgres, statements},
    undone::Undone,
    value::values,
};

/// Links of every kind, with the addresses of the accounts in them, of which some are to be chosen.
macro_rules! links {
    ($no_id:literal, $condition:literal) => {
        concat!(
            "SELECT links.*, coalesce(owner.email, links.email) AS account_email, maker.email AS maker_email FROM ( \
             SELECT id, kind, ",
            $no_id,
            " AS account_id, email, created_by, created_at, expires_at FROM invitations \
             UNION ALL SELECT id, 'password_reset', account_id, NULL, created_by, created_at, expires_at \
             FROM password_resets) AS links \
             LEFT JOIN accounts AS owner ON owner.id = links.account_id \
             LEFT JOIN accounts AS maker ON maker.id = links.created_by WHERE ",
            $condition
        )
    };
}

/// The link that resets a password, and its account, by its token.
macro_rules! reset {
    () => {
        concat!(
            "SELECT ",
            account_columns!(),
            ", password_resets.* FROM password_resets \
             JOIN accounts ON accounts.id = account_id WHERE token_hash = $1"
        )
    };
}

statements! {
    /// One at a time makes or uses what lets accounts in. "kgin"
    LOCK = postgres!("SELECT pg_advisory_xact_lock(1802987886)");
    LIST = each!(
        links!(
            "NULL",
            "expires_at > $1 AND ($2 IS NULL OR links.id < $2) ORDER BY links.id DESC LIMIT $3"
        ),
        links!(
            "NULL::uuid",
            "expires_at > $1 AND ($2::uuid IS NULL OR links.id < $2) \
             ORDER BY links.id DESC LIMIT $3"
        )
    );
    LOOKUP = each!(links!("NULL", "links.id = $1"), links!("NULL::uuid", "links.id = $1"));
    INSERT_INVITATION = both!("INSERT INTO invitations \
        (token_hash, id, kind, email, created_by, session_id, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING");
    LOOKUP_INVITATION = both!("SELECT * FROM invitations WHERE token_hash = $1");
    /// Locked, so that it is not withdrawn and used as well.
    LOOKUP_INVITATION_LOCKED =
        locked!("SELECT * FROM invitations WHERE token_hash = $1", "FOR UPDATE");
    USE_UP = both!("DELETE FROM invitations WHERE token_hash = $1 OR kind = 'setup' OR email = $2");
    /// Set-up links that are over, and all but so many of the newest.
    DELETE_OLD_SETUPS = both!("DELETE FROM invitations \
        WHERE kind = 'setup' AND (expires_at <= $1 OR id NOT IN \
        (SELECT id FROM invitations WHERE kind = 'setup' ORDER BY created_at DESC, id DESC LIMIT $2))");
    INSERT_RESET = both!("INSERT INTO password_resets \
        (account_id, token_hash, id, created_by, session_id, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)");
    LOOKUP_RESET = both!(reset!());
    LOOKUP_RESET_LOCKED = locked!(reset!(), "FOR UPDATE OF password_resets");
    DELETE_RESET_OF = both!("DELETE FROM password_resets WHERE account_id = $1");
    DELETE_INVITATION = both!("DELETE FROM invitations WHERE id = $1");
    DELETE_RESET = both!("DELETE FROM password_resets WHERE id = $1");
    FORGET_RESETS = both!("DELETE FROM password_resets WHERE account_id = $1 OR created_by = $1");
    FORGET_INVITATIONS = both!("DELETE FROM invitations WHERE created_by = $1");
    FORGET_RESETS_OF_SESSION = both!("DELETE FROM password_resets WHERE session_id = $1");
    FORGET_INVITATIONS_OF_SESSION = both!("DELETE FROM invitations WHERE session_id = $1");
    FORGET_OTHER_RESETS = both!("DELETE FROM password_resets \
        WHERE created_by = $1 AND session_id IS DISTINCT FROM $2");
    FORGET_OTHER_INVITATIONS = both!("DELETE FROM invitations \
        WHERE created_by = $1 AND session_id IS DISTINCT FROM $2");
}

/// Lets nobody else make or use what lets accounts in, until the transaction ends.
pub(crate) async fn lock(tx: &mut dyn Tx) -> Result<(), StorageError> {
    tx.lock(&LOCK, &[]).await.map(|_| ())
}

/// The invitation with this token, which stays until the transaction ends.
pub(crate) async fn lock_invitation(
    tx: &mut dyn Tx,
    token_hash: TokenHash,
) -> Result<Option<Invitation>, StorageError> {
    let token = values![&token_hash];
    optional(tx, &LOOKUP_INVITATION_LOCKED, token, |row| row.invitation()).await
}

/// The link to reset a password with this token, and its account.
pub(crate) async fn lookup_reset(
    db: &mut dyn Read,
    token_hash: TokenHash,
) -> Result<Option<(PasswordReset, Account)>, StorageError> {
    optional(db, &LOOKUP_RESET, values![&token_hash], |row| {
        row.password_reset()
    })
    .await
}

/// The same, where the link stays until the transaction ends.
pub(crate) async fn lock_reset(
    tx: &mut dyn Tx,
    token_hash: TokenHash,
) -> Result<Option<(PasswordReset, Account)>, StorageError> {
    let token = values![&token_hash];
    optional(tx, &LOOKUP_RESET_LOCKED, token, |row| row.password_reset()).await
}

/// Uses up the invitation by which an account was made, those for its address alone, and every set-up link: there is an
/// account now.
pub(crate) async fn use_up(
    tx: &mut dyn Tx,
    admission: Admission,
    email: &EmailAddress,
) -> Result<(), StorageError> {
    let token = match &admission {
        Admission::Invitation(token_hash) => Some(token_hash),
        Admission::Free | Admission::Open => None,
    };
    let used = values![token, email.as_str()];
    tx.execute(&USE_UP, used).await.map(|_| ())
}

/// Forgets every link that an account made or that resets its password. Its sessions are over: none can make
/// another.
pub(crate) async fn forget(tx: &mut dyn Tx, account_id: AccountId) -> Result<(), StorageError> {
    for delete in [&FORGET_RESETS, &FORGET_INVITATIONS] {
        tx.execute(delete, values![account_id]).await?;
    }
    Ok(())
}

/// Forgets every link that a session made, which is over.
pub(crate) async fn forget_of_session(tx: &mut dyn Tx, id: SessionId) -> Result<(), StorageError> {
    for delete in [&FORGET_RESETS_OF_SESSION, &FORGET_INVITATIONS_OF_SESSION] {
        tx.execute(delete, values![id]).await?;
    }
    Ok(())
}

/// Forgets every link that an account made otherwise than by this session, all others being over.
pub(crate) async fn forget_others(
    tx: &mut dyn Tx,
    account_id: AccountId,
    kept: SessionId,
) -> Result<(), StorageError> {
    for delete in [&FORGET_OTHER_RESETS, &FORGET_OTHER_INVITATIONS] {
        tx.execute(delete, values![account_id, kept]).await?;
    }
    Ok(())
}

async fn insert_invitation(
    tx: &mut dyn Tx,
    invitation: Invitation,
    audit: AuditEntry,
) -> Result<bool, Undone> {
    lock(tx).await?;
    if invitation.kind == InvitationKind::Setup {
        if owners::any(tx).await? {
            return Ok(false);
        }
        let old = values![invitation.created_at, MAX_SETUP_LINKS - 1];
        tx.execute(&DELETE_OLD_SETUPS, old).await?;
    }
    let row = values![
        &invitation.token_hash,
        invitation.id,
        invitation.kind.as_str(),
        invitation.email.as_ref().map(EmailAddress::as_str),
        invitation.created_by,
        invitation.session_id,
        invitation.created_at,
        invitation.expires_at,
    ];
    let is_new = tx.execute(&INSERT_INVITATION, row).await? > 0;
    if is_new {
        audit::insert(tx, &audit).await?;
    }
    Ok(is_new)
}

async fn insert_reset(
    tx: &mut dyn Tx,
    reset: PasswordReset,
    audit: AuditEntry,
) -> Result<bool, Undone> {
    // So that an account has one link at a time, and none that outlives its password.
    owners::lock(tx, reset.account_id, &audit).await?;
    if !owners::is_there(tx, reset.account_id).await? {
        return Ok(false);
    }
    tx.execute(&DELETE_RESET_OF, values![reset.account_id])
        .await?;
    let row = values![
        reset.account_id,
        &reset.token_hash,
        reset.id,
        reset.created_by,
        reset.session_id,
        reset.created_at,
        reset.expires_at,
    ];
    tx.execute(&INSERT_RESET, row).await?;
    audit::insert(tx, &audit).await?;
    Ok(true)
}

async fn delete(tx: &mut dyn Tx, id: LinkId, audit: AuditEntry) -> Result<bool, Undone> {
    let Some(link) = lookup(tx, id).await? else {
        return Ok(false);
    };
    // As whoever ends an account's sessions, and goes on to their links.
    if let Some(account_id) = link.account_id.or(audit.actor.account_id()) {
        owners::lock(tx, account_id, &audit).await?;
    }
    audit::require_live_session(tx, &audit).await?;
    let mut deleted = 0;
    for delete in [&DELETE_INVITATION, &DELETE_RESET] {
        deleted += tx.execute(delete, values![id]).await?;
    }
    if deleted > 0 {
        audit::insert(tx, &audit).await?;
    }
    Ok(deleted > 0)
}

async fn lookup(db: &mut dyn Read, id: LinkId) -> Result<Option<Link>, StorageError> {
    optional(db, &LOOKUP, values![id], |row| row.link()).await
}

async fn lookup_invitation(
    db: &mut dyn Read,
    token_hash: TokenHash,
) -> Result<Option<Invitation>, StorageError> {
    let token = values![&token_hash];
    optional(db, &LOOKUP_INVITATION, token, |row| row.invitation()).await
}

async fn list(
    db: &mut dyn Read,
    page: LinkPage,
    now: Timestamp,
) -> Result<Vec<Link>, StorageError> {
    let values = values![now, page.before, page.limit];
    all(db, &LIST, values, |row| row.link()).await
}

#[async_trait]
impl<E: Engine> LinkStore for SqlStore<E> {
    async fn insert_invitation(
        &self,
        invitation: Invitation,
        audit: AuditEntry,
    ) -> Result<Made<bool>, StorageError> {
        self.change(move |tx| insert_invitation(tx, invitation, audit).boxed())
            .await
    }

    async fn lookup_invitation(
        &self,
        token_hash: TokenHash,
    ) -> Result<Option<Invitation>, StorageError> {
        self.read(move |db| lookup_invitation(db, token_hash).boxed())
            .await
    }

    async fn insert_password_reset(
        &self,
        reset: PasswordReset,
        audit: AuditEntry,
    ) -> Result<Made<bool>, StorageError> {
        self.change(move |tx| insert_reset(tx, reset, audit).boxed())
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
        self.read(move |db| list(db, page, now).boxed()).await
    }

    async fn lookup_link(&self, id: LinkId) -> Result<Option<Link>, StorageError> {
        self.read(move |db| lookup(db, id).boxed()).await
    }

    async fn delete_link(&self, id: LinkId, audit: AuditEntry) -> Result<Made<bool>, StorageError> {
        self.change(move |tx| delete(tx, id, audit).boxed()).await
    }
}
