//! How the domain's types stand in columns.

use keygate_core::{
    Account, AccountId, EmailAddress, KeyId, Scopes, SessionId, Timestamp, TokenHash,
    key::{KeyHash, KeyName},
};
use keygate_storage::StorageError;
use rusqlite::Row;

use crate::error::unavailable;

/// Reads columns by name, as what they stand for.
pub(crate) trait Columns {
    fn column<T: rusqlite::types::FromSql>(&self, name: &str) -> Result<T, StorageError>;

    fn timestamp(&self, name: &str) -> Result<Timestamp, StorageError> {
        self.column(name).map(Timestamp::from_millis)
    }

    fn optional_timestamp(&self, name: &str) -> Result<Option<Timestamp>, StorageError> {
        let millis: Option<i64> = self.column(name)?;
        Ok(millis.map(Timestamp::from_millis))
    }

    fn account_id(&self, name: &str) -> Result<AccountId, StorageError> {
        self.column(name).map(AccountId::from_bytes)
    }

    fn key_id(&self, name: &str) -> Result<KeyId, StorageError> {
        self.column(name).map(KeyId::from_bytes)
    }

    fn session_id(&self, name: &str) -> Result<SessionId, StorageError> {
        self.column(name).map(SessionId::from_bytes)
    }

    fn key_hash(&self, name: &str) -> Result<KeyHash, StorageError> {
        self.column(name).map(KeyHash::from_bytes)
    }

    fn token_hash(&self, name: &str) -> Result<TokenHash, StorageError> {
        self.column(name).map(TokenHash::from_bytes)
    }

    fn scopes(&self) -> Result<Scopes, StorageError> {
        let bits = self.column("scopes")?;
        Scopes::from_bits(bits).ok_or(StorageError::Corrupt("set of scopes"))
    }

    fn key_name(&self) -> Result<KeyName, StorageError> {
        let name: String = self.column("name")?;
        KeyName::parse(&name).map_err(|_| StorageError::Corrupt("key name"))
    }

    /// The columns of [`account!`].
    fn account(&self) -> Result<Account, StorageError> {
        let email: String = self.column("email")?;
        Ok(Account {
            id: self.account_id("account_id")?,
            email: EmailAddress::parse(&email)
                .map_err(|_| StorageError::Corrupt("e-mail address"))?,
            suspended_at: self.optional_timestamp("suspended_at")?,
            created_at: self.timestamp("account_created_at")?,
        })
    }
}

/// The columns of an account, under names that stay apart in a join.
macro_rules! account {
    () => {
        "accounts.id AS account_id, accounts.email, accounts.suspended_at, \
         accounts.created_at AS account_created_at"
    };
}

pub(crate) use account;

impl Columns for Row<'_> {
    fn column<T: rusqlite::types::FromSql>(&self, name: &str) -> Result<T, StorageError> {
        self.get(name).map_err(unavailable)
    }
}
