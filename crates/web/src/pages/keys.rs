//! `/keys`: an account's keys.

mod created;
mod expiry;
mod fields;
mod list;
mod new;
mod scopes;
mod setups;
mod show;
mod snippets;

pub(crate) use list::list;
pub(crate) use new::{create, new};
pub(crate) use show::{change, show};

use keygate_core::{ApiKey, KeyDetails, KeyId, KeyState, Scope, Scopes, Timestamp};

use super::moment::Moment;

/// A key, for people.
pub(crate) struct KeyView {
    pub(crate) id: KeyId,
    pub(crate) details: KeyDetails,
    pub(crate) prefix: String,
    pub(crate) scopes: Vec<&'static str>,
    pub(crate) created: Moment,
    pub(crate) last_used: Option<Moment>,
    pub(crate) expires: Option<Moment>,
    pub(crate) state: &'static str,
}

impl KeyView {
    fn new(key: &ApiKey, now: Timestamp) -> Self {
        Self {
            id: key.id,
            details: key.details.clone(),
            prefix: key.key_prefix.clone(),
            scopes: names(key.details.scopes),
            created: Moment::new(key.created_at, now),
            last_used: key.last_used_at.map(|at| Moment::new(at, now)),
            expires: key.details.expires_at.map(|at| Moment::new(at, now)),
            state: state_name(key.state(now)),
        }
    }
}

fn names(scopes: Scopes) -> Vec<&'static str> {
    let scopes = Scope::ALL
        .into_iter()
        .filter(|scope| scopes.contains(*scope));
    scopes.map(Scope::as_str).collect()
}

fn state_name(state: KeyState) -> &'static str {
    match state {
        KeyState::Active => "active",
        KeyState::Inactive => "inactive",
        KeyState::Expired => "expired",
    }
}
