//! The record of changes: an entry for each change, a change for each entry, and what it says is what is
//! there.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::{
    History,
    event::{Event, Operation, Violation},
    kept::Kept,
    sessions,
};

/// An entry of the record.
#[derive(Debug, Clone)]
pub struct Entry {
    pub actor: String,
    pub action: String,
    pub account: Option<String>,
    pub subject: Option<String>,
    pub detail: Value,
}

/// By which an entry is known to be that of a change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mark {
    actor: String,
    action: String,
    account: Option<String>,
    /// But for what the change itself made, and named.
    subject: Option<String>,
    detail: Value,
}

impl Entry {
    pub fn read(entry: &Value) -> Self {
        let text = |name: &str| entry[name].as_str().map(str::to_owned);
        Self {
            actor: text("actor").expect("an actor"),
            action: text("action").expect("an action"),
            account: text("account"),
            subject: text("subject_id"),
            detail: entry["detail"].clone(),
        }
    }

    pub fn mark(&self) -> Mark {
        let is_made = self.action.ends_with(".create") || self.action == "key.issue";
        // Which one it is may not be known to whoever ended it.
        let is_unnamed = is_made || self.action == "session.delete";
        let detail = match self.action.as_str() {
            "key.issue" => {
                json!({"name": self.detail["name"], "scopes": self.detail["scopes"]})
            }
            "incident.create" => self.detail["message"].clone(),
            _ => self.detail.clone(),
        };
        Mark {
            actor: self.actor.clone(),
            action: self.action.clone(),
            account: self.account.clone(),
            subject: self.subject.clone().filter(|_| !is_unnamed),
            detail,
        }
    }
}

/// How the entry of a change is known; none for what changes nothing.
fn mark(event: &Event) -> Option<Mark> {
    let own = |action: &str, account: &str, subject: Option<&str>, detail: Value| {
        Some((
            account.to_owned(),
            action.to_owned(),
            Some(account.to_owned()),
            subject.map(str::to_owned),
            detail,
        ))
    };
    let admins = |action: &str, by: &str, account: Option<&str>, subject: Option<&str>, detail| {
        Some((
            by.to_owned(),
            action.to_owned(),
            account.map(str::to_owned),
            subject.map(str::to_owned),
            detail,
        ))
    };
    let by_link = || json!({"by": "link"});
    let (actor, action, account, subject, detail) = match &event.what {
        Operation::Issue {
            account,
            name,
            scopes,
            ..
        } => own(
            "key.issue",
            account,
            None,
            json!({"name": name, "scopes": scopes}),
        ),
        Operation::Change {
            account,
            key,
            name,
            scopes,
            is_active,
        } => {
            let mut detail = json!({"name": name});
            if let Some(scopes) = scopes {
                detail["scopes"] = json!(scopes);
            }
            if let Some(is_active) = is_active {
                detail["is_active"] = json!(is_active);
            }
            own("key.update", account, Some(key), detail)
        }
        Operation::Revoke { account, key } => own("key.revoke", account, Some(key), Value::Null),
        Operation::SignIn { account, .. } => own("session.create", account, None, Value::Null),
        Operation::SignOut { account } => own("session.delete", account, None, Value::Null),
        Operation::Reset { account, .. } => own("account.set_password", account, None, by_link()),
        Operation::SignUp { account, .. } => own("account.create", account, None, by_link()),
        Operation::Suspend { account, by } => {
            admins("account.suspend", by, Some(account), None, Value::Null)
        }
        Operation::Resume { account, by } => {
            admins("account.resume", by, Some(account), None, Value::Null)
        }
        Operation::Link { resets, by, .. } => {
            let action = link_action(resets.as_deref(), "create");
            admins(&action, by, resets.as_deref(), None, Value::Null)
        }
        Operation::Withdraw { link, resets, by } => {
            let action = link_action(resets.as_deref(), "withdraw");
            admins(&action, by, resets.as_deref(), Some(link), Value::Null)
        }
        Operation::Post { message, by, .. } => {
            admins("incident.create", by, None, None, json!(message))
        }
        Operation::Say {
            incident,
            message,
            state,
            by,
        } => {
            let detail = json!({"state": state, "message": message});
            admins("incident.update", by, None, Some(incident), detail)
        }
        Operation::Check { .. } | Operation::Look | Operation::Read { .. } => None,
    }?;
    Some(Mark {
        actor,
        action,
        account,
        subject,
        detail,
    })
}

/// By their marks, which tells apart all changes to one thing. One that is known to be done comes before one
/// like it that may be.
pub fn changes(history: &History) -> HashMap<Mark, &Event> {
    let mut changes = HashMap::new();
    for event in history.events.iter().filter(|event| event.may_be_done()) {
        let Some(mark) = mark(event) else { continue };
        let known = changes.entry(mark).or_insert(event);
        if event.is_done() {
            *known = event;
        }
    }
    changes
}

fn link_action(resets: Option<&str>, done: &str) -> String {
    let kind = resets.map_or("invitation", |_| "password_reset");
    format!("{kind}.{done}")
}

/// What a change has made, and the action that its entry then names.
fn made(event: &Event) -> Option<(&str, String)> {
    match &event.what {
        _ if !event.is_done() => None,
        Operation::Issue { key, .. } => Some((key, "key.issue".into())),
        Operation::SignIn { id, .. } => Some((id.as_deref()?, "session.create".into())),
        Operation::Link { link, resets, .. } => {
            Some((link, link_action(resets.as_deref(), "create")))
        }
        Operation::Post { incident, .. } => Some((incident, "incident.create".into())),
        _ => None,
    }
}

/// The events that an entry may stand for.
#[derive(Default)]
struct Changes<'a> {
    entries: usize,
    certain: Vec<&'a Event>,
    perhaps: Vec<&'a Event>,
}

pub fn check(history: &History) -> Result<(), Violation> {
    check_each_has_its_entry(history)?;
    check_what_was_made(history)?;
    let mut replayed = history.before.clone();
    for entry in &history.record {
        let applied = replayed.apply(entry, history.max_active);
        applied.map_err(|why| {
            let subject = entry.subject.as_deref();
            let concerned = history.events.iter().filter(|event| {
                subject.is_some_and(|subject| format!("{:?}", event.what).contains(subject))
            });
            Violation::new(format!("{why}: {entry:?}"), concerned)
        })?;
    }
    check_replayed(history, &replayed)
}

fn check_each_has_its_entry(history: &History) -> Result<(), Violation> {
    let mut changes = HashMap::<Mark, Changes>::new();
    for entry in &history.record {
        changes.entry(entry.mark()).or_default().entries += 1;
    }
    for event in history.events.iter().filter(|event| event.may_be_done()) {
        let Some(mark) = mark(event) else { continue };
        let changes = changes.entry(mark).or_default();
        if event.is_done() && !sessions::is_perhaps_over(history, event) {
            changes.certain.push(event);
        } else {
            changes.perhaps.push(event);
        }
    }
    for (mark, changes) in changes {
        let least = changes.certain.len();
        let most = least + changes.perhaps.len();
        if !(least..=most).contains(&changes.entries) {
            let why = format!(
                "{} entries for {least} changes (up to {most}) like {mark:?}",
                changes.entries
            );
            let events = changes.certain.into_iter().chain(changes.perhaps);
            return Err(Violation::new(why, events));
        }
    }
    Ok(())
}

fn check_what_was_made(history: &History) -> Result<(), Violation> {
    let mut entries = BTreeMap::<(&str, &str), usize>::new();
    for entry in &history.record {
        let subject = entry.subject.as_deref().unwrap_or_default();
        *entries.entry((subject, &entry.action)).or_default() += 1;
    }
    for event in &history.events {
        let Some((id, action)) = made(event) else {
            continue;
        };
        let found = entries.get(&(id, action.as_str())).copied();
        if found != Some(1) {
            let why = format!("{} entries say {action} of {id}", found.unwrap_or(0));
            return Err(Violation::new(why, [event]));
        }
    }
    Ok(())
}

fn check_replayed(history: &History, replayed: &Kept) -> Result<(), Violation> {
    let Some((what, id, said, kept)) = replayed.difference(&history.after) else {
        return Ok(());
    };
    let why = format!("by the record, {what} {id} is {said}; in the database it is {kept}");
    let concerned = history
        .events
        .iter()
        .filter(|event| format!("{:?}", event.what).contains(&id));
    Err(Violation::new(why, concerned))
}
