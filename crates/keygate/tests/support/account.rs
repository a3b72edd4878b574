use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::Program;

pub const EMAIL: &str = "ada@example.com";
pub const PASSWORD: &str = "correct horse battery staple";

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Account {
    pub client: Client,
    pub url: String,
    pub cookie: String,
}

impl Account {
    /// Makes an account, as an operator would, and signs in.
    pub async fn create(program: &Program) -> Self {
        Self::create_with(program, &[]).await
    }

    /// The same of an admin, who may make any number of changes.
    pub async fn create_admin(program: &Program) -> Self {
        Self::create_with(program, &["--admin"]).await
    }

    async fn create_with(program: &Program, options: &[&str]) -> Self {
        let args = ["account", "create", EMAIL, "--password-stdin"];
        let output = program.cli(&[&args, options].concat(), PASSWORD);
        assert!(output.status.success(), "{output:?}");
        Self::sign_in(&program.url).await
    }

    pub async fn sign_in(url: &str) -> Self {
        let mut account = Self {
            client: Client::new(),
            url: url.to_owned(),
            cookie: String::new(),
        };
        account.cookie = account.sign_in_again().await.expect("it answers");
        account
    }

    /// Begins another session: its cookie.
    pub async fn sign_in_again(&self) -> reqwest::Result<String> {
        let body = json!({"email": EMAIL, "password": PASSWORD});
        let request = self.client.post(format!("{}/api/session", self.url));
        let answer = request.json(&body).send().await?;
        assert_eq!(answer.status(), 204);
        let set = answer.headers()["set-cookie"].to_str().expect("ASCII");
        Ok(set.split(';').next().expect("a pair").to_owned())
    }

    /// The same session at a program that was started again.
    pub fn at(&self, url: &str) -> Self {
        Self {
            client: Client::new(),
            url: url.to_owned(),
            cookie: self.cookie.clone(),
        }
    }

    pub fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        request.header("cookie", &self.cookie)
    }

    /// Creates a key: its id and its secret.
    pub async fn key(&self, scopes: &[&str]) -> (String, String) {
        let body = json!({"name": "a key", "scopes": scopes});
        let answer = self.call(Method::POST, "/api/keys").json(&body).send();
        let answer = answer.await.expect("it answers");
        assert_eq!(answer.status(), 201);
        let record: Value = answer.json().await.expect("JSON");
        let text = |field: &str| record[field].as_str().expect("text").to_owned();
        (text("id"), text("key"))
    }

    pub async fn patch(&self, id: &str, body: &Value) -> Response {
        let call = self.call(Method::PATCH, &format!("/api/keys/{id}"));
        call.json(body).send().await.expect("it answers")
    }

    pub async fn delete(&self, id: &str) -> Response {
        let call = self.call(Method::DELETE, &format!("/api/keys/{id}"));
        call.send().await.expect("it answers")
    }
}
