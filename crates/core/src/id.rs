use std::fmt;

use uuid::Uuid;

use crate::{Random, Timestamp};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// A UUID version 7 (RFC 9562): ids sort by the time they were made.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, made at `now`.
            pub fn generate(now: Timestamp, random: &dyn Random) -> Self {
                let mut tail = [0; 10];
                random.fill(&mut tail);
                let millis = u64::try_from(now.as_millis()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid())
            }

            /// When the id was made, to the millisecond; `None` if it is of another version.
            pub fn made_at(&self) -> Option<Timestamp> {
                if self.0.get_version_num() != 7 {
                    return None;
                }
                let mut millis = [0; 8];
                millis[2..].copy_from_slice(&self.0.as_bytes()[..6]);
                Some(Timestamp::from_millis(i64::from_be_bytes(millis)))
            }

            /// Reads the spelling that keygate writes, with hyphens, in lower case or capitals (RFC 9562
            /// section 4).
            pub fn parse(text: &str) -> Option<Self> {
                let id = Uuid::try_parse(text).ok()?;
                let mut canonical = Uuid::encode_buffer();
                let canonical = id.as_hyphenated().encode_lower(&mut canonical);
                canonical.eq_ignore_ascii_case(text).then_some(Self(id))
            }

            /// The id kept as these 16 bytes, big-endian.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The id as 16 bytes, big-endian.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self.0.as_hyphenated(), f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

id! {
    /// Identifies an account.
    AccountId
}
id! {
    /// Identifies a form for a new key, so that it creates one key however often it is sent.
    FormId
}
id! {
    /// Identifies an incident.
    IncidentId
}
id! {
    /// Identifies a one-time link. It is not the link's token and grants nothing.
    LinkId
}
id! {
    /// Identifies an API key. It is not secret.
    KeyId
}
id! {
    /// Identifies a prober while it runs.
    ProberId
}
id! {
    /// Identifies a recorder of uses while it runs.
    RecorderId
}
id! {
    /// Identifies a session. It is not the token in the cookie.
    SessionId
}
id! {
    /// Identifies an update of an incident.
    UpdateId
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededRandom;

    #[test]
    fn ids_sort_by_time() {
        let random = SeededRandom::new(1);
        let made = Timestamp::from_millis(1_781_078_400_123);
        assert_eq!(KeyId::generate(made, &random).made_at(), Some(made));
        let earlier = KeyId::generate(Timestamp::from_millis(1_000), &random);
        let later = KeyId::generate(Timestamp::from_millis(1_001), &random);
        assert!(earlier < later);
    }

    #[test]
    fn only_the_spelling_with_hyphens_is_read() {
        let id = KeyId::generate(Timestamp::from_millis(1_000), &SeededRandom::new(1));
        let text = id.to_string();
        assert_eq!(KeyId::parse(&text), Some(id));
        assert_eq!(KeyId::parse(&text.to_uppercase()), Some(id));
        for other in [
            format!("{{{text}}}"),
            format!("urn:uuid:{text}"),
            text.replace('-', ""),
            format!(" {text}"),
            String::new(),
            "../".into(),
        ] {
            assert_eq!(KeyId::parse(&other), None, "{other}");
        }
    }
}
