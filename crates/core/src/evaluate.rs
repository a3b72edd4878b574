use crate::{AccountId, KeyId, KeyState, Scope, Scopes, Timestamp};

/// All that deciding about a key needs to know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential {
    /// Which key it is.
    pub key_id: KeyId,
    /// Whose it is.
    pub account_id: AccountId,
    /// What it opens.
    pub scopes: Scopes,
    /// The first moment at which it is no longer accepted.
    pub expires_at: Option<Timestamp>,
    /// The owner's switch.
    pub is_active: bool,
    /// Whether the owner's account is suspended.
    pub account_suspended: bool,
}

/// What somebody wants to do with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The scope that the door asks for.
    pub scope: Scope,
}

/// The answer to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The door opens.
    Allow,
    /// It stays shut, and why.
    Deny(Denial),
}

/// Why a door stays shut: the closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// No key was presented.
    #[error("no API key was given")]
    Missing,
    /// The request presents its key in a way that is not accepted, whatever the key.
    #[error(transparent)]
    Misused(#[from] Misuse),
    /// What was presented is malformed, was never issued, or is deleted.
    #[error("the API key is not valid")]
    Invalid,
    /// The key is switched off.
    #[error("the API key is inactive")]
    Revoked,
    /// The key's time is over.
    #[error("the API key has expired")]
    Expired,
    /// The owner's account is suspended.
    #[error("the account of this API key is suspended")]
    AccountSuspended,
    /// The key lacks the scope that the door asks for.
    #[error("the API key lacks the scope \"{0}\"")]
    InsufficientScope(Scope),
}

/// What is wrong with how a request presents its key. It says nothing about any key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// The `Authorization` header has no scheme, or another than Bearer.
    #[error("the Authorization header does not have the scheme Bearer")]
    OtherScheme,
    /// The header has more in it than the key.
    #[error("the header has quotes or words around the API key")]
    NotAlone,
    /// One header was sent twice.
    #[error("the header with the API key was sent twice")]
    HeaderTwice,
    /// Two headers have different keys.
    #[error("two different API keys were given")]
    TwoKeys,
    /// The path or the query has a key.
    #[error("the address contains an API key")]
    InAddress,
    /// A header that is none for keys has one.
    #[error("an API key was sent in another header")]
    InOtherHeader,
}

/// Whether `credential` opens a door at `now`.
pub fn evaluate(credential: &Credential, attempt: &Attempt, now: Timestamp) -> Decision {
    match KeyState::of(credential.is_active, credential.expires_at, now) {
        KeyState::Inactive => Decision::Deny(Denial::Revoked),
        KeyState::Expired => Decision::Deny(Denial::Expired),
        KeyState::Active if credential.account_suspended => {
            Decision::Deny(Denial::AccountSuspended)
        }
        KeyState::Active if !credential.scopes.permits(attempt.scope) => {
            Decision::Deny(Denial::InsufficientScope(attempt.scope))
        }
        KeyState::Active => Decision::Allow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededRandom;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn credential() -> Credential {
        let random = SeededRandom::new(1);
        Credential {
            key_id: KeyId::generate(NOW, &random),
            account_id: AccountId::generate(NOW, &random),
            scopes: [Scope::Chat, Scope::Read].into_iter().collect(),
            expires_at: None,
            is_active: true,
            account_suspended: false,
        }
    }

    fn decide(change: impl FnOnce(&mut Credential), scope: Scope) -> Decision {
        let mut credential = credential();
        change(&mut credential);
        evaluate(&credential, &Attempt { scope }, NOW)
    }

    #[test]
    fn a_key_is_expired_from_the_very_millisecond_on() {
        for (offset, expected) in [
            (-1, Decision::Deny(Denial::Expired)),
            (0, Decision::Deny(Denial::Expired)),
            (1, Decision::Allow),
        ] {
            let expires_at = Timestamp::from_millis(NOW.as_millis() + offset);
            let decision = decide(|key| key.expires_at = Some(expires_at), Scope::Chat);
            assert_eq!(decision, expected, "expires {offset} ms from now");
        }
    }

    #[test]
    fn each_scope_opens_its_own_doors() {
        for (scope, allowed) in [
            (Scope::Chat, true),
            (Scope::Read, true),
            (Scope::Write, false),
            (Scope::Admin, false),
        ] {
            let expected = if allowed {
                Decision::Allow
            } else {
                Decision::Deny(Denial::InsufficientScope(scope))
            };
            assert_eq!(decide(|_| (), scope), expected, "{scope}");
        }
    }

    #[test]
    fn reasons_are_given_in_a_fixed_order() {
        let decision = decide(
            |key| {
                key.is_active = false;
                key.expires_at = Some(NOW);
                key.account_suspended = true;
            },
            Scope::Admin,
        );
        assert_eq!(decision, Decision::Deny(Denial::Revoked));
        let decision = decide(
            |key| {
                key.expires_at = Some(NOW);
                key.account_suspended = true;
            },
            Scope::Admin,
        );
        assert_eq!(decision, Decision::Deny(Denial::Expired));
        let decision = decide(|key| key.account_suspended = true, Scope::Admin);
        assert_eq!(decision, Decision::Deny(Denial::AccountSuspended));
    }
}
