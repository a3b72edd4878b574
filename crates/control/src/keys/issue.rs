use std::time::Duration;

use keygate_core::{
    AccountId, ApiKey, Code, KeyId, Problem, Scope, Scopes, Timestamp,
    key::{KeyName, KeySecret},
};
use keygate_storage::{Action, Actor, AuditPage, InsertKey, NewKey};
use serde_json::json;

use super::key_limit_reached;
use crate::{Control, unavailable};

/// Somebody wants a key.
#[derive(Debug, Clone)]
pub struct IssueKey {
    /// Its id, if it was [reserved](Control::reserve_key_id), so that it is not issued twice.
    pub id: Option<KeyId>,
    /// What it is called.
    pub name: KeyName,
    /// What it opens; `None` for chat and read. Never `admin`, which is given to a key later.
    pub scopes: Option<Scopes>,
    /// Until when.
    pub expires_at: Option<Timestamp>,
}

impl IssueKey {
    fn refuse_unissuable(&self, now: Timestamp) -> Result<(), Problem> {
        if self.expires_at.is_some_and(|end| end <= now) {
            let rule = "must lie in the future";
            return Err(Problem::invalid_parameter("expires_at", rule));
        }
        if self
            .scopes
            .is_some_and(|scopes| scopes.contains(Scope::Admin))
        {
            let rule =
                "may hold chat, read and write for a new key; admin can be given to it afterwards";
            return Err(Problem::invalid_parameter("scopes", rule));
        }
        Ok(())
    }
}

/// A key that has just been issued, with its secret.
#[derive(Debug)]
pub struct IssuedKey {
    /// The key.
    pub key: ApiKey,
    /// Its secret, for its owner and nobody else.
    pub secret: KeySecret,
}

/// How long a reserved id can be used.
const RESERVED_FOR: Duration = Duration::from_hours(24);

impl Control {
    /// An id for a key that is issued within a day: by it, a form that is sent twice makes one key.
    pub fn reserve_key_id(&self) -> KeyId {
        KeyId::generate(self.clock.now(), &*self.random)
    }

    /// Refuses an id that was not reserved within the last day, or that a key has or had.
    async fn refuse_used(&self, id: KeyId, now: Timestamp) -> Result<(), Problem> {
        if id.made_at() > now || id.made_at().plus(RESERVED_FOR) <= now {
            let why = "The form is older than a day. Nothing was created; send it again.";
            return Err(Problem::new(Code::InvalidRequest, why));
        }
        let page = AuditPage {
            subject_id: Some(id.to_string()),
            limit: 1,
            ..AuditPage::default()
        };
        let entries = self.store.list_audit_entries(page).await;
        let is_new = entries.map_err(unavailable)?.is_empty();
        is_new.then_some(()).ok_or_else(id_taken)
    }

    /// Issues a key to an account.
    pub async fn issue_key(
        &self,
        actor: Actor,
        account_id: AccountId,
        request: IssueKey,
    ) -> Result<IssuedKey, Problem> {
        let now = self.clock.now();
        request.refuse_unissuable(now)?;
        if let Some(id) = request.id {
            self.refuse_used(id, now).await?;
        }
        let secret = self.format.generate(&*self.random);
        let key = ApiKey {
            id: request.id.unwrap_or_else(|| self.reserve_key_id()),
            account_id,
            name: request.name,
            key_prefix: self.format.shown_prefix(&secret),
            scopes: request.scopes.unwrap_or_else(default_scopes),
            last_used_at: None,
            request_count: 0,
            expires_at: request.expires_at,
            is_active: true,
            created_at: now,
        };
        let mut audit = self.entry(actor, Action::KeyIssue, account_id);
        audit.subject_id = Some(key.id.to_string());
        audit.detail = Some(detail(&key));
        let new = NewKey {
            key: key.clone(),
            hash: self.hasher.hash(secret.expose()),
        };
        let max_active = self.policy.max_active_keys;
        let inserted = self.store.insert_key(new, max_active, audit).await;
        match inserted.map_err(unavailable)? {
            InsertKey::Inserted => Ok(IssuedKey { key, secret }),
            InsertKey::LimitReached => Err(key_limit_reached(max_active)),
            InsertKey::IdTaken => Err(id_taken()),
        }
    }
}

fn id_taken() -> Problem {
    Problem::new(Code::KeyExists, "This key was created already.")
}

fn default_scopes() -> Scopes {
    [Scope::Chat, Scope::Read].into_iter().collect()
}

fn detail(key: &ApiKey) -> String {
    json!({"name": key.name, "scopes": key.scopes, "expires_at": key.expires_at}).to_string()
}
