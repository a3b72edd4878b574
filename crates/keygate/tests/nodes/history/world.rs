//! The clients' common knowledge, and their calls.

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::Method;
use reqwest::Client;
use serde_json::Value;

use super::event::{Answer, Event, Operation, Session};
use crate::support::Dice;

/// Whoever has an account.
pub struct Person {
    pub email: String,
    pub id: String,
    pub is_admin: bool,
    /// Those that the account had, the present one last.
    pub passwords: Mutex<Vec<String>>,
    /// Held by who replaces the password.
    pub replacing: tokio::sync::Mutex<()>,
    /// Whether the account is suspended; held by who changes that.
    pub suspended: tokio::sync::Mutex<bool>,
}

impl Person {
    pub fn new(email: &str, id: &str, password: &str, is_admin: bool) -> Arc<Self> {
        Arc::new(Self {
            email: email.to_owned(),
            id: id.to_owned(),
            is_admin,
            passwords: Mutex::new(vec![password.to_owned()]),
            replacing: tokio::sync::Mutex::default(),
            suspended: tokio::sync::Mutex::default(),
        })
    }
}

#[derive(Clone)]
pub struct Cookie {
    pub session: Session,
    pub value: String,
    pub of: Arc<Person>,
}

#[derive(Clone)]
pub struct Key {
    pub id: String,
    pub secret: String,
    pub of: Arc<Person>,
}

#[derive(Clone)]
pub struct Link {
    pub id: String,
    pub token: String,
    /// Whose password it replaces.
    pub resets: Option<Arc<Person>>,
}

#[derive(Clone)]
pub struct Incident {
    pub id: String,
    pub is_maintenance: bool,
}

/// What there is to do something with, also what is over: the newest last.
#[derive(Default)]
pub struct AtHand {
    pub people: Vec<Arc<Person>>,
    pub cookies: Vec<Cookie>,
    pub keys: Vec<Key>,
    pub links: Vec<Link>,
    pub incidents: Vec<Incident>,
}

pub struct World {
    client: Client,
    pub urls: Vec<String>,
    epoch: Instant,
    at_hand: Mutex<AtHand>,
    events: Mutex<Vec<Event>>,
    numbers: AtomicUsize,
}

/// An answer, and when and where it was given.
pub struct Reply {
    pub began: Duration,
    pub ended: Duration,
    pub node: usize,
    pub session: Option<Session>,
    pub answer: Answer,
    pub body: Value,
    pub cookie: Option<String>,
}

impl Reply {
    pub fn is_done(&self) -> bool {
        self.answer == Answer::Done
    }

    pub fn text(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_default().to_owned()
    }
}

/// What a node is asked.
pub struct Ask<'a> {
    pub node: usize,
    pub by: Option<&'a Cookie>,
    pub method: Method,
    pub path: String,
    pub body: Option<Value>,
}

impl World {
    pub fn new(urls: Vec<String>) -> Self {
        Self {
            client: Client::new(),
            urls,
            epoch: Instant::now(),
            at_hand: Mutex::default(),
            events: Mutex::default(),
            numbers: AtomicUsize::new(1),
        }
    }

    pub fn at_hand(&self) -> MutexGuard<'_, AtHand> {
        self.at_hand.lock().expect("not poisoned")
    }

    /// One that nobody else has.
    pub fn number(&self) -> usize {
        self.numbers.fetch_add(1, Ordering::SeqCst)
    }

    /// The time since the history began.
    pub fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    pub fn node(&self, dice: &mut Dice) -> usize {
        dice.pick(self.urls.len())
    }

    /// Each call comes from an address of its own: what is tried for one account is counted, too.
    pub async fn ask(&self, ask: Ask<'_>) -> Reply {
        let url = format!("{}{}", self.urls[ask.node], ask.path);
        let number = self.number();
        let address = format!("10.{}.{}.1", number / 256, number % 256);
        let mut request = self.client.request(ask.method, url);
        request = request.header("x-forwarded-for", address);
        if let Some(cookie) = ask.by {
            request = request.header("cookie", &cookie.value);
        }
        if let Some(body) = ask.body {
            request = request.json(&body);
        }
        let began = self.now();
        let answer = request.send().await.expect("an answer");
        let ended = self.now();
        let status = answer.status().as_u16();
        let set = answer.headers().get("set-cookie");
        let set = set.map(|set| set.to_str().expect("ASCII"));
        let cookie = set.and_then(|set| Some(set.split(';').next()?.to_owned()));
        let body = answer.text().await.expect("text");
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        Reply {
            began,
            ended,
            node: ask.node,
            session: ask.by.map(|cookie| cookie.session),
            answer: understood(status, &body),
            body,
            cookie,
        }
    }

    pub fn note(&self, reply: &Reply, what: Operation) {
        self.note_event(Event {
            began: reply.began,
            ended: reply.ended,
            node: reply.node,
            session: reply.session,
            what,
            answer: reply.answer.clone(),
        });
    }

    pub fn note_event(&self, event: Event) {
        self.events.lock().expect("not poisoned").push(event);
    }

    /// What was noted, in the order in which it began.
    pub fn take_events(&self) -> Vec<Event> {
        let mut events = std::mem::take(&mut *self.events.lock().expect("not poisoned"));
        events.sort_by_key(|event| event.began);
        events
    }
}

fn understood(status: u16, body: &Value) -> Answer {
    let code = body["error"]["code"].as_str().unwrap_or_default();
    match status {
        200..300 => Answer::Done,
        503 if code == "storage_unavailable" => Answer::Unknown,
        400..500 | 503 => Answer::Refused(code.to_owned()),
        _ => panic!("{status}: {body}"),
    }
}

/// One of the newest.
pub fn recent<T: Clone>(list: &[T], dice: &mut Dice, newest: usize) -> Option<T> {
    let newest = &list[list.len().saturating_sub(newest)..];
    (!newest.is_empty()).then(|| newest[dice.pick(newest.len())].clone())
}
