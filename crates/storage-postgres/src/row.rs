//! How the domain's types stand in columns.

use keygate_core::{
    Account, AccountId, EmailAddress, KeyId, Scopes, SessionId, Timestamp, TokenHash,
    key::{KeyHash, KeyName},
};
use keygate_storage::StorageError;
use sqlx::{Decode, Postgres, Row, Type, postgres::PgRow, types::Uuid};

use crate::error::unavailable;

/// Reads columns by name, as what they stand for.
pub(crate) trait Columns {
    fn column<'r, T: Decode<'r, Postgres> + Type<Postgres>>(
        &'r self,
        name: &str,
    ) -> Result<T, StorageError>;

    fn timestamp(&self, name: &str) -> Result<Timestamp, StorageError> {
        self.column(name).map(Timestamp::from_millis)
    }

    fn optional_timestamp(&self, name: &str) -> Result<Option<Timestamp>, StorageError> {
        let millis: Option<i64> = self.column(name)?;
        Ok(millis.map(Timestamp::from_millis))
    }

    fn account_id(&self, name: &str) -> Result<AccountId, StorageError> {
        self.column(name).map(account_id)
    }

    fn optional_account_id(&self, name: &str) -> Result<Option<AccountId>, StorageError> {
        let id: Option<Uuid> = self.column(name)?;
        Ok(id.map(account_id))
    }

    fn key_id(&self, name: &str) -> Result<KeyId, StorageError> {
        let id: Uuid = self.column(name)?;
        Ok(KeyId::from_bytes(id.into_bytes()))
    }

    fn session_id(&self, name: &str) -> Result<SessionId, StorageError> {
        let id: Uuid = self.column(name)?;
        Ok(SessionId::from_bytes(id.into_bytes()))
    }

    fn key_hash(&self, name: &str) -> Result<KeyHash, StorageError> {
        self.column(name).map(KeyHash::from_bytes)
    }

    fn token_hash(&self, name: &str) -> Result<TokenHash, StorageError> {
        self.column(name).map(TokenHash::from_bytes)
    }

    fn scopes(&self) -> Result<Scopes, StorageError> {
        let bits: i16 = self.column("scopes")?;
        let scopes = u8::try_from(bits).ok().and_then(Scopes::from_bits);
        scopes.ok_or(StorageError::Corrupt("set of scopes"))
    }

    fn count(&self, name: &str) -> Result<u64, StorageError> {
        let count: i64 = self.column(name)?;
        u64::try_from(count).map_err(|_| StorageError::Corrupt("count"))
    }

    fn key_name(&self) -> Result<KeyName, StorageError> {
        KeyName::parse(self.column("name")?).map_err(|_| StorageError::Corrupt("key name"))
    }

    /// The columns of [`account!`].
    fn account(&self) -> Result<Account, StorageError> {
        Ok(Account {
            id: self.account_id("account_id")?,
            email: EmailAddress::parse(self.column("email")?)
                .map_err(|_| StorageError::Corrupt("e-mail address"))?,
            suspended_at: self.optional_timestamp("suspended_at")?,
            created_at: self.timestamp("account_created_at")?,
        })
    }
}

fn account_id(id: Uuid) -> AccountId {
    AccountId::from_bytes(id.into_bytes())
}

/// The columns of an account, under names that stay apart in a join.
macro_rules! account {
    () => {
        "accounts.id AS account_id, accounts.email, accounts.suspended_at, \
         accounts.created_at AS account_created_at"
    };
}

pub(crate) use account;

impl Columns for PgRow {
    fn column<'r, T: Decode<'r, Postgres> + Type<Postgres>>(
        &'r self,
        name: &str,
    ) -> Result<T, StorageError> {
        self.try_get(name).map_err(unavailable)
    }
}

/// Ids as they are bound.
pub(crate) trait ToUuid {
    fn uuid(&self) -> Uuid;
}

macro_rules! to_uuid {
    ($($id:ty)*) => {
        $(impl ToUuid for $id {
            fn uuid(&self) -> Uuid {
                Uuid::from_bytes(*self.as_bytes())
            }
        })*
    };
}

to_uuid!(AccountId KeyId SessionId keygate_core::RecorderId);

/// A number that the database keeps with a sign.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
