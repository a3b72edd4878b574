use std::time::Duration;

use keygate_core::{
    AccountId, ApiKey, Code, FormId, IssuedKey, KeyDetails, KeyId, Problem, Timestamp,
};
use keygate_storage::{Action, Actor, InsertKey, NewKey};
use serde_json::json;

use super::{key_limit_reached, key_total_reached};
use crate::Control;

/// What came of a form for a new key.
#[derive(Debug)]
pub enum Issued {
    /// The key.
    Now(Box<IssuedKey>),
    /// It has been sent before, and made the key with this id, which may be gone.
    Before(KeyId),
}

/// How long a form can be sent.
const FORM_LIFETIME: Duration = Duration::from_hours(24);
/// What another node's clock may be ahead.
const SKEW: Duration = Duration::from_mins(1);

impl Control {
    /// An id for a form for a new key, which can be sent within a day: it makes one key, however often it
    /// is sent.
    pub fn new_key_form(&self) -> FormId {
        FormId::generate(self.clock.now(), &*self.random)
    }

    /// Issues a key to an account.
    pub async fn issue_key(
        &self,
        actor: Actor,
        account_id: AccountId,
        details: KeyDetails,
    ) -> Result<IssuedKey, Problem> {
        match self.issue(actor, account_id, details, None).await? {
            Issued::Now(issued) => Ok(*issued),
            Issued::Before(_) => unreachable!("no form was sent"),
        }
    }

    /// Issues the key that a form asks for, once.
    pub async fn issue_key_by_form(
        &self,
        actor: Actor,
        account_id: AccountId,
        details: KeyDetails,
        form: FormId,
    ) -> Result<Issued, Problem> {
        refuse_old(form, self.clock.now())?;
        self.issue(actor, account_id, details, Some(form)).await
    }

    async fn issue(
        &self,
        actor: Actor,
        account_id: AccountId,
        details: KeyDetails,
        form: Option<FormId>,
    ) -> Result<Issued, Problem> {
        let now = self.clock.now();
        details.refuse_unissuable(now)?;
        let secret = self.format.generate(&*self.random);
        let key = ApiKey {
            id: KeyId::generate(now, &*self.random),
            account_id,
            details,
            key_prefix: self.format.shown_prefix(&secret),
            last_used_at: None,
            request_count: 0,
            is_active: true,
            created_at: now,
        };
        let mut audit = self.entry(actor, Action::KeyIssue, account_id);
        audit.subject_id = Some(key.id.to_string());
        audit.detail = Some(json!(key.details).to_string());
        let new = NewKey {
            key: key.clone(),
            hash: self.hasher.hash(secret.expose()),
            form,
        };
        let limits = self.policy.key_limits;
        let inserted = self.store.insert_key(new, limits, audit).await;
        match inserted?? {
            InsertKey::Inserted => Ok(Issued::Now(Box::new(IssuedKey { key, secret }))),
            InsertKey::LimitReached => Err(key_limit_reached(limits.active)),
            InsertKey::TotalReached => Err(key_total_reached(limits.total)),
            InsertKey::Repeated(earlier) => Ok(Issued::Before(earlier)),
        }
    }
}

fn refuse_old(form: FormId, now: Timestamp) -> Result<(), Problem> {
    let made_at = form.made_at();
    if made_at.is_some_and(|at| at.minus(SKEW) <= now && now < at.plus(FORM_LIFETIME)) {
        return Ok(());
    }
    let why = "The form is older than a day. Nothing was created; send it again.";
    Err(Problem::new(Code::InvalidRequest, why))
}
