//! What is in the database, and what the record says is.

use std::{collections::BTreeMap, fmt::Debug};

use serde::Deserialize;
use serde_json::Value;

use super::record::Entry;
use crate::cluster::Cluster;

/// Accounts by address, the rest by id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Kept {
    /// Whether each is suspended.
    pub accounts: BTreeMap<String, bool>,
    /// Whose each is.
    pub sessions: BTreeMap<String, String>,
    pub keys: BTreeMap<String, KeptKey>,
    /// What was said of each: a state and a message.
    pub incidents: BTreeMap<String, Vec<(String, String)>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KeptKey {
    pub account: String,
    pub name: String,
    pub scopes: Vec<String>,
    pub is_active: bool,
}

const KEPT: &str = "SELECT json_build_object(
    'accounts', (SELECT coalesce(json_object_agg(email, suspended_at IS NOT NULL), '{}') FROM accounts),
    'sessions', (SELECT coalesce(json_object_agg(s.id, a.email), '{}')
        FROM sessions AS s JOIN accounts AS a ON a.id = account_id),
    'keys', (SELECT coalesce(json_object_agg(k.id, json_build_object('account', a.email, 'name', name,
            'is_active', is_active, 'scopes', array_remove(ARRAY[
                CASE WHEN scopes & 1 > 0 THEN 'chat' END, CASE WHEN scopes & 2 > 0 THEN 'read' END,
                CASE WHEN scopes & 4 > 0 THEN 'write' END, CASE WHEN scopes & 8 > 0 THEN 'admin' END
            ], NULL))), '{}') FROM api_keys AS k JOIN accounts AS a ON a.id = account_id),
    'incidents', (SELECT coalesce(json_object_agg(incident_id, said), '{}') FROM (
        SELECT incident_id, json_agg(json_build_array(state, message) ORDER BY id) AS said
        FROM incident_updates GROUP BY incident_id) AS incidents))";

/// Whether nothing else can become of an incident.
pub fn is_last(state: &str) -> bool {
    ["resolved", "completed"].contains(&state)
}

impl Kept {
    pub fn read(cluster: &Cluster) -> Self {
        let kept = cluster.server.sql(&cluster.database, KEPT);
        serde_json::from_str(&kept).expect("as it was asked for")
    }

    /// Does what an entry says was done.
    pub fn apply(&mut self, entry: &Entry, max_active: usize) -> Result<(), String> {
        let account = entry.account.clone().unwrap_or_default();
        let subject = entry.subject.clone().unwrap_or_default();
        match entry.action.as_str() {
            "account.suspend" => {
                self.accounts.insert(account.clone(), true);
                self.end_sessions(&account);
            }
            "account.create" | "account.resume" => {
                self.accounts.insert(account, false);
            }
            "account.set_password" => self.end_sessions(&account),
            "session.create" => {
                self.sessions.insert(subject, account);
            }
            "session.delete" => {
                self.sessions.remove(&subject).ok_or("it was over")?;
            }
            "key.issue" => {
                let key = KeptKey::issued(&account, &entry.detail);
                self.keys.insert(subject, key);
                self.check_limit(&account, max_active)?;
            }
            "key.update" => {
                let key = self.keys.get_mut(&subject).ok_or("there is no such key")?;
                key.update(&entry.detail);
                self.check_limit(&account, max_active)?;
            }
            "key.revoke" => {
                self.keys.remove(&subject).ok_or("there is no such key")?;
            }
            "incident.create" | "incident.update" => {
                let said = self.incidents.entry(subject).or_default();
                let [state, message] = ["state", "message"].map(|name| text(&entry.detail[name]));
                if said.iter().any(|(said, _)| is_last(said)) && !is_last(&state) {
                    return Err("it was over".into());
                }
                said.push((state, message));
            }
            _ => {}
        }
        Ok(())
    }

    fn end_sessions(&mut self, account: &str) {
        self.sessions.retain(|_, owner| owner != account);
    }

    fn check_limit(&self, account: &str, max_active: usize) -> Result<(), String> {
        let is_active = |key: &&KeptKey| key.account == account && key.is_active;
        let active = self.keys.values().filter(is_active).count();
        let is_kept = active <= max_active;
        is_kept
            .then_some(())
            .ok_or_else(|| format!("{account} has {active} active keys"))
    }

    /// What is not alike, by kind and id, and how it is in each.
    pub fn difference(&self, other: &Self) -> Option<(&'static str, String, String, String)> {
        None.or_else(|| difference("account", &self.accounts, &other.accounts))
            .or_else(|| difference("session", &self.sessions, &other.sessions))
            .or_else(|| difference("key", &self.keys, &other.keys))
            .or_else(|| difference("incident", &self.incidents, &other.incidents))
    }
}

impl KeptKey {
    pub fn issued(account: &str, detail: &Value) -> Self {
        let mut key = Self {
            account: account.to_owned(),
            name: String::new(),
            scopes: Vec::new(),
            is_active: true,
        };
        key.update(detail);
        key
    }

    /// Takes what the detail of an entry names.
    pub fn update(&mut self, detail: &Value) {
        if detail["name"].is_string() {
            self.name = text(&detail["name"]);
        }
        if let Some(scopes) = detail["scopes"].as_array() {
            self.scopes = scopes.iter().map(text).collect();
        }
        self.is_active = detail["is_active"].as_bool().unwrap_or(self.is_active);
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn difference<T: PartialEq + Debug>(
    what: &'static str,
    said: &BTreeMap<String, T>,
    kept: &BTreeMap<String, T>,
) -> Option<(&'static str, String, String, String)> {
    let id = said
        .keys()
        .chain(kept.keys())
        .find(|id| said.get(*id) != kept.get(*id))?;
    let shown = |of: &BTreeMap<String, T>| format!("{:?}", of.get(id));
    Some((what, id.clone(), shown(said), shown(kept)))
}
