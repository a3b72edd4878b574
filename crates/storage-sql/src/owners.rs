//! The accounts to which everything else belongs: whether they are there, and the lock with which changes begin.

use std::iter;

use keygate_core::AccountId;
use keygate_storage::{AuditEntry, StorageError};

use crate::{
    Read, Tx, Value, exists,
    statement::{both, postgres, statements},
    value::values,
};

statements! {
    ANY = both!("SELECT 1 FROM accounts LIMIT 1");
    EXISTS = both!("SELECT 1 FROM accounts WHERE id = $1");
    LOCK = postgres!("SELECT id FROM accounts WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE");
}

/// Locks the account that a change concerns, and that of who makes it.
///
/// Whatever may end sessions begins with this. All take the locks on rows in one order, and none waits for
/// another that waits for it: accounts by their ids, what belongs to an account, the session by which it is
/// done, other sessions.
pub(crate) async fn lock(
    tx: &mut dyn Tx,
    account_id: AccountId,
    audit: &AuditEntry,
) -> Result<(), StorageError> {
    let ids = iter::once(account_id).chain(audit.actor.account_id());
    let ids: Vec<[u8; 16]> = ids.map(|id| *id.as_bytes()).collect();
    tx.lock(&LOCK, &[Value::Ids(&ids)]).await.map(|_| ())
}

/// Whether there is any account.
pub(crate) async fn any(db: &mut dyn Read) -> Result<bool, StorageError> {
    exists(db, &ANY, &[]).await
}

/// Whether there is this account.
pub(crate) async fn is_there(
    db: &mut dyn Read,
    account_id: AccountId,
) -> Result<bool, StorageError> {
    exists(db, &EXISTS, values![account_id]).await
}
