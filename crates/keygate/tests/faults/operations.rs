//! What is asked of a program on a bad day.

use http::StatusCode;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::{Account, Program, Upstream, eventually};

/// A program and its owner, with a key that is in use and one that was never presented.
pub struct World {
    _upstream: Upstream,
    pub program: Program,
    pub account: Account,
    pub in_use: Key,
    pub unseen: Key,
}

pub struct Key {
    pub id: String,
    pub secret: String,
}

impl World {
    pub async fn of(program: Program, upstream: Upstream) -> Self {
        let account = Account::create_admin(&program).await;
        let mut keys = Vec::new();
        for _ in 0..2 {
            let (id, secret) = account.key(&["read"]).await;
            keys.push(Key { id, secret });
        }
        let world = Self {
            _upstream: upstream,
            program,
            account,
            unseen: keys.pop().expect("two"),
            in_use: keys.pop().expect("two"),
        };
        assert_eq!(world.status_with(&world.in_use).await, StatusCode::OK);
        world
    }

    /// Starts the program again, after it was stopped or killed.
    pub fn restart(self) -> Self {
        let program = self.program.restart();
        Self {
            account: self.account.at(&program.url),
            program,
            ..self
        }
    }

    /// What the data plane answers to a key.
    pub async fn status_with(&self, key: &Key) -> StatusCode {
        let request = Client::new().get(format!("{}/v1/models", self.program.url));
        let answer = request.bearer_auth(&key.secret).send().await;
        answer.expect("it answers").status()
    }

    pub async fn create(&self, name: &str) -> (StatusCode, Value) {
        let call = self.account.call(Method::POST, "/api/keys");
        let answer = call.json(&json!({"name": name})).send().await;
        let answer = answer.expect("it answers");
        (answer.status(), answer.json().await.expect("JSON"))
    }

    pub async fn ready(&self) -> (StatusCode, Value) {
        let answer = Client::new().get(format!("{}/readyz", self.program.url));
        let answer = answer.send().await.expect("it answers");
        (answer.status(), answer.json().await.expect("JSON"))
    }

    pub async fn keys(&self) -> Vec<Value> {
        let answer = self.account.call(Method::GET, "/api/keys").send().await;
        answer.expect("it answers").json().await.expect("a list")
    }

    /// No change is acknowledged, it is not ready, and keys are checked all the same.
    pub async fn assert_that_it_only_checks_keys(&self) {
        eventually("it is not ready", async || {
            self.ready().await.0 == StatusCode::SERVICE_UNAVAILABLE
        })
        .await;
        let (_, said) = self.ready().await;
        assert_eq!(said["error"]["code"], "storage_unavailable");
        let before = self.keys().await.len();
        let (status, said) = self.create("not kept").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{said}");
        assert_eq!(said["error"]["code"], "storage_unavailable");
        let revoked = self.account.delete(&self.in_use.id).await;
        assert_eq!(revoked.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(self.status_with(&self.in_use).await, StatusCode::OK);
        assert_eq!(self.status_with(&self.unseen).await, StatusCode::OK);
        assert_eq!(self.keys().await.len(), before, "nothing half");
    }

    /// It has recovered by itself: changes are made, and a revocation is felt at once.
    pub async fn assert_that_it_recovers(&self) {
        eventually("a key is created", async || {
            self.create("after").await.0 == StatusCode::CREATED
        })
        .await;
        assert_eq!(self.ready().await.0, StatusCode::OK);
        let (id, secret) = self.account.key(&["read"]).await;
        let new = Key { id, secret };
        assert_eq!(self.status_with(&new).await, StatusCode::OK);
        for key in [&new, &self.in_use, &self.unseen] {
            assert_eq!(self.account.delete(&key.id).await.status(), StatusCode::OK);
            assert_eq!(self.status_with(key).await, StatusCode::UNAUTHORIZED);
        }
    }
}
