use crate::{AccountId, KeyId, KeyState, Scope, Scopes, Timestamp};

/// What is needed to decide about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential {
    /// The key's id.
    pub key_id: KeyId,
    /// The account that owns it.
    pub account_id: AccountId,
    /// Its scopes.
    pub scopes: Scopes,
    /// The first moment at which it is no longer accepted.
    pub expires_at: Option<Timestamp>,
    /// Whether the owner has it active.
    pub is_active: bool,
    /// Whether the owner's account is suspended.
    pub account_suspended: bool,
}

/// What a request needs from its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The required scope.
    pub scope: Scope,
}

/// The decision about an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The request is allowed.
    Allow,
    /// The request is denied, and why.
    Deny(Denial),
}

/// Why a request is denied: the complete list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// No key was presented.
    #[error("no API key was given")]
    Missing,
    /// The request presents its key in a way that is not accepted, whatever the key is.
    #[error(transparent)]
    Misused(#[from] Misuse),
    /// What was presented is malformed, was never issued, or is deleted.
    #[error("the API key is not valid")]
    Invalid,
    /// The key is deactivated.
    #[error("the API key is inactive")]
    Revoked,
    /// The key has expired.
    #[error("the API key has expired")]
    Expired,
    /// The owner's account is suspended.
    #[error("the account of this API key is suspended")]
    AccountSuspended,
    /// The key lacks the required scope.
    #[error("the API key lacks the scope \"{0}\"")]
    InsufficientScope(Scope),
}

/// What is wrong with how a request presents its key. It says nothing about any key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// The `Authorization` header has no scheme, or one other than Bearer.
    #[error("the Authorization header does not have the scheme Bearer")]
    OtherScheme,
    /// The header contains more than the key.
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
    /// A header that is not meant for keys contains one.
    #[error("an API key was sent in another header")]
    InOtherHeader,
}

/// Decides whether `credential` allows the attempt at `now`.
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
