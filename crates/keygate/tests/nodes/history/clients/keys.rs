use http::Method;
use serde_json::json;

use super::{
    super::event::{Answer, Event, Operation, Scope},
    super::world::{Ask, Key, recent},
    Client,
};

const SCOPES: [&[Scope]; 4] = [
    &["chat"],
    &["read"],
    &["chat", "read"],
    &["chat", "read", "write"],
];
/// What a call asks for, by scope.
const CALLS: [(Scope, &str); 3] = [
    ("read", "GET /v1/models"),
    ("chat", "POST /v1/chat/completions"),
    ("write", "POST /v1/files"),
];

impl Client {
    fn scopes(&mut self) -> Vec<Scope> {
        SCOPES[self.dice.pick(SCOPES.len())].to_vec()
    }

    fn key(&mut self) -> Option<Key> {
        let keys = self.world.at_hand().keys.clone();
        recent(&keys, &mut self.dice, 24)
    }

    pub(super) async fn issue(&mut self) {
        let person = self.person();
        let Some(cookie) = self.cookie_of(&person) else {
            return;
        };
        let (node, scopes) = (self.node(), self.scopes());
        let name = format!("key {}", self.world.number());
        let body = json!({"name": name, "scopes": scopes});
        let reply = self.world.ask(Ask {
            node,
            by: Some(&cookie),
            method: Method::POST,
            path: "/api/keys".into(),
            body: Some(body),
        });
        let reply = reply.await;
        let what = Operation::Issue {
            account: person.email.clone(),
            name,
            scopes,
            key: reply.text("id"),
        };
        self.world.note(&reply, what);
        if reply.is_done() {
            let (id, secret) = (reply.text("id"), reply.text("key"));
            let key = Key {
                id,
                secret,
                of: person,
            };
            self.world.at_hand().keys.push(key);
        }
    }

    /// Switches a key on or off, or has it open something else.
    pub(super) async fn change(&mut self) {
        let Some(key) = self.key() else { return };
        let Some(cookie) = self.cookie_of(&key.of) else {
            return;
        };
        let node = self.node();
        let name = format!("change {}", self.world.number());
        let (scopes, is_active) = match self.dice.roll(4) {
            0 => (Some(self.scopes()), None),
            1 => (None, Some(false)),
            _ => (None, Some(true)),
        };
        let mut body = json!({"name": name});
        if let Some(scopes) = &scopes {
            body["scopes"] = json!(scopes);
        }
        if let Some(is_active) = is_active {
            body["is_active"] = json!(is_active);
        }
        let reply = self.world.ask(Ask {
            node,
            by: Some(&cookie),
            method: Method::PATCH,
            path: format!("/api/keys/{}", key.id),
            body: Some(body),
        });
        let reply = reply.await;
        let what = Operation::Change {
            account: key.of.email.clone(),
            key: key.id,
            name,
            scopes,
            is_active,
        };
        self.world.note(&reply, what);
    }

    pub(super) async fn revoke(&mut self) {
        let Some(key) = self.key() else { return };
        let Some(cookie) = self.cookie_of(&key.of) else {
            return;
        };
        let reply = self.world.ask(Ask {
            node: self.world.node(&mut self.dice),
            by: Some(&cookie),
            method: Method::DELETE,
            path: format!("/api/keys/{}", key.id),
            body: None,
        });
        let reply = reply.await;
        let what = Operation::Revoke {
            account: key.of.email.clone(),
            key: key.id,
        };
        self.world.note(&reply, what);
    }

    pub(super) async fn check(&mut self) {
        let Some(key) = self.key() else { return };
        let node = self.node();
        let (scope, call) = CALLS[self.dice.pick(CALLS.len())];
        let began = self.world.now();
        let status = self.caller(node).await.ask(call, &key.secret).await;
        let status = status.expect("an answer");
        self.world.note_event(Event {
            began,
            ended: self.world.now(),
            node,
            session: None,
            what: Operation::Check {
                key: key.id,
                scope,
                status,
            },
            answer: Answer::Done,
        });
    }
}
