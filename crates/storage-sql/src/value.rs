use keygate_core::{
    AccountId, ClientMark, FormId, IncidentId, KeyId, LinkId, ProberId, RecorderId, SessionId,
    Timestamp, TokenHash, UpdateId, key::KeyHash,
};

/// What is bound to a parameter of a statement. `None` is SQL's NULL, of a type, which PostgreSQL has to know.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// A whole number.
    Number(Option<i64>),
    /// Text.
    Text(Option<&'a str>),
    /// An id: 16 bytes.
    Id(Option<[u8; 16]>),
    /// The bytes of a hash.
    Bytes(Option<&'a [u8]>),
    /// True or false.
    Flag(Option<bool>),
    /// An array of numbers, for PostgreSQL.
    Numbers(&'a [i64]),
    /// An array of ids, for PostgreSQL.
    Ids(&'a [[u8; 16]]),
}

/// Values that are bound to `$1`, `$2`, … in this order.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        &[$($crate::Value::from($value)),*]
    };
}

pub(crate) use values;

macro_rules! from_ids {
    ($($id:ty)*) => {
        $(impl From<$id> for Value<'_> {
            fn from(id: $id) -> Self {
                Self::Id(Some(*id.as_bytes()))
            }
        }

        impl From<Option<$id>> for Value<'_> {
            fn from(id: Option<$id>) -> Self {
                Self::Id(id.map(|id| *id.as_bytes()))
            }
        })*
    };
}

from_ids!(AccountId FormId IncidentId KeyId LinkId ProberId RecorderId SessionId UpdateId);

macro_rules! from_hashes {
    ($($hash:ty)*) => {
        $(impl<'a> From<&'a $hash> for Value<'a> {
            fn from(hash: &'a $hash) -> Self {
                Self::Bytes(Some(hash.as_bytes()))
            }
        }

        impl<'a> From<Option<&'a $hash>> for Value<'a> {
            fn from(hash: Option<&'a $hash>) -> Self {
                Self::Bytes(hash.map(|hash| &hash.as_bytes()[..]))
            }
        })*
    };
}

from_hashes!(ClientMark KeyHash TokenHash);

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        i64::from(number).into()
    }
}

/// A number as a database keeps it, with a sign: beyond what it keeps, the greatest that it does.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        signed(number).into()
    }
}

impl From<Option<u64>> for Value<'_> {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Self::Number(None), Self::from)
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(at: Timestamp) -> Self {
        at.as_millis().into()
    }
}

impl From<Option<Timestamp>> for Value<'_> {
    fn from(at: Option<Timestamp>) -> Self {
        Self::Number(at.map(Timestamp::as_millis))
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(Some(flag))
    }
}

impl From<Option<bool>> for Value<'_> {
    fn from(flag: Option<bool>) -> Self {
        Self::Flag(flag)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        text.as_str().into()
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(text: &'a Option<String>) -> Self {
        Self::Text(text.as_deref())
    }
}
