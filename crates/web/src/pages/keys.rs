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
pub(super) use setups::{PLACEHOLDER, setups};
pub(crate) use show::{change, show};
pub(super) use snippets::{Language, Snippet, base_url, languages};

use std::time::Duration;

use keygate_core::{ApiKey, KeyDetails, KeyId, KeyState, Scope, Scopes, Timestamp};

use super::moment::Moment;

/// How long before its end a key is said to end soon.
const SOON: Duration = Duration::from_hours(7 * 24);

/// A key, for people.
pub(crate) struct KeyView {
    pub(crate) id: KeyId,
    pub(crate) details: KeyDetails,
    pub(crate) prefix: String,
    pub(crate) scopes: Vec<&'static str>,
    pub(crate) created: Moment,
    pub(crate) last_used: Option<Moment>,
    pub(crate) expires: Option<Moment>,
    /// Whether it works, and will not for much longer.
    pub(crate) ends_soon: bool,
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
            ends_soon: ends_soon(key, now),
            state: state_name(key.state(now)),
        }
    }
}

fn ends_soon(key: &ApiKey, now: Timestamp) -> bool {
    let ends_at = key.details.expires_at;
    key.state(now) == KeyState::Active && ends_at.is_some_and(|at| at < now.plus(SOON))
}

/// What is said where a key was switched.
fn switched(done: &str) -> Option<&'static str> {
    match done {
        "on" => Some("The key is activated."),
        "off" => Some("The key is deactivated. It no longer works."),
        _ => None,
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
