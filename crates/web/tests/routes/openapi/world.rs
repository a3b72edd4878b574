//! What must be there for an example to work as it stands.

use keygate_control::{Actor, PostIncident, Signup};
use keygate_core::{ComponentId, Incident, IncidentMessage, IncidentTitle, Role, Token};
use serde_json::{Value, json};

use super::operation::{Operation, json as json_of, operations};
use crate::support::{Answer, Call, Options, PASSWORD, TestApp};

pub const ADMIN: &str = "admin@example.com";
/// No key, session or account has it.
pub const UNKNOWN_ID: &str = "0197593d-1c00-7000-8000-000000000000";

/// An app with an account, and beside it what the call is about.
pub struct World {
    pub app: TestApp,
    pub admin: String,
    pub owner: Owner,
    key: String,
    session: String,
    incident: Option<Incident>,
}

/// The account whose e-mail address and password stand in the example.
pub struct Owner {
    pub email: String,
    password: String,
    /// Empty where the example is what makes the account.
    pub cookie: String,
}

impl World {
    pub async fn of(operation: &Operation) -> Self {
        Self::with_signup(operation, Signup::Invite).await
    }

    pub async fn with_signup(operation: &Operation, signup: Signup) -> Self {
        let mut world = Self {
            app: TestApp::with(Options {
                signup,
                ..Options::default()
            }),
            owner: Owner::of(operation),
            admin: String::new(),
            key: String::new(),
            session: String::new(),
            incident: None,
        };
        if operation.name() == "createAccount" {
            return world;
        }
        world.make_owner().await;
        match operation.area() {
            "keys" => world.key = world.make_key().await,
            "account" => world.session = world.elsewhere().await,
            "admin" => {
                world.make_key().await;
                if operation.name() == "listLinks" {
                    world.make_link().await;
                }
                if operation.path.contains("/incidents") {
                    world.incident = Some(world.post_incident().await);
                }
                world.admin = world.app.account_as(ADMIN, Role::Admin).await;
            }
            _ => {}
        }
        world
    }

    pub async fn make_owner(&mut self) {
        let Owner {
            email, password, ..
        } = &self.owner;
        let control = &self.app.control;
        let made = control.create_account(email, password, Role::Member).await;
        made.expect("the account is made");
        self.sign_in_again().await;
    }

    /// Gives the owner a new session.
    pub async fn sign_in_again(&mut self) {
        self.owner.cookie = self.sign_in().await.cookie();
    }

    async fn sign_in(&self) -> Answer {
        let body = json!({"email": self.owner.email, "password": self.owner.password});
        let call = self.app.post("/api/session").json(&body.to_string());
        call.send().await
    }

    /// The id of another session of the owner.
    async fn elsewhere(&self) -> String {
        let cookie = self.sign_in().await.cookie();
        let sessions = self.app.get("/api/account/sessions").cookie(&cookie);
        let sessions = sessions.send().await.json();
        let mut sessions = sessions.as_array().expect("an array").iter();
        let current = sessions.find(|session| session["is_current"] == true);
        text(&current.expect("it is live")["id"])
    }

    /// The id of a key that is made as the document shows it.
    pub async fn make_key(&self) -> String {
        let operations = operations();
        let create = operations.iter().find(|one| one.name() == "createKey");
        let body = example_body(create.expect("it is there"));
        let key = self.app.key(&self.owner.cookie, &body.to_string()).await;
        text(&key["id"])
    }

    async fn make_link(&self) {
        let account = self.app.control.get_account(&self.owner.email).await;
        let id = account.expect("it is there").id;
        let link = self.app.control.create_password_reset(Actor::Operator, id);
        link.await.expect("made");
    }

    async fn post_incident(&self) -> Incident {
        let incident = PostIncident {
            title: IncidentTitle::parse("Slow").expect("a title"),
            message: IncidentMessage::parse("We look.").expect("a message"),
            components: vec![ComponentId::storage()],
            state: None,
            starts_at: None,
        };
        let posted = self.app.control.post_incident(Actor::Operator, incident);
        posted.await.expect("posted")
    }

    /// The path of a call, with the id of what there is.
    pub async fn path(&self, operation: &Operation) -> String {
        let id = match operation.area() {
            "keys" => self.key.clone(),
            "account" => self.session.clone(),
            "admin" if operation.path.contains("/links/") => {
                let link = self
                    .app
                    .control
                    .create_invitation(Actor::Operator, None)
                    .await;
                link.expect("made").id.to_string()
            }
            "admin" => match &self.incident {
                Some(incident) => incident.id.to_string(),
                None => self.account_id(&self.owner.email).await,
            },
            _ => return operation.path.clone(),
        };
        self.fill_update_id(&operation.path.replace("{id}", &id))
    }

    /// The path with the id of what was said of the incident.
    pub fn fill_update_id(&self, path: &str) -> String {
        let update = self.incident.iter().flat_map(|one| &one.updates).next();
        let id = update.map(|update| update.id.to_string());
        path.replace("{update_id}", &id.unwrap_or_default())
    }

    pub async fn account_id(&self, email: &str) -> String {
        let account = self.app.control.get_account(email).await;
        account.expect("it is there").id.to_string()
    }

    /// With which an account can be made.
    async fn invitation(&self) -> Token {
        let first = self.app.control.create_setup_link().await;
        if let Some(token) = first.expect("made") {
            return token;
        }
        let invitation = self
            .app
            .control
            .create_invitation(Actor::Operator, None)
            .await;
        invitation.expect("made").token
    }

    /// The example's body, with tokens that work.
    pub async fn body(&self, operation: &Operation) -> Value {
        let mut body = example_body(operation);
        if body.get("invitation").is_some() {
            body["invitation"] = self.invitation().await.expose().into();
        }
        if body.get("token").is_some() {
            let account = self.app.control.get_account(&self.owner.email).await;
            let id = account.expect("it is there").id;
            let token = self.app.control.create_password_reset(Actor::Operator, id);
            body["token"] = token.await.expect("made").token.expose().into();
        }
        body
    }

    /// The call as whoever may make it.
    pub fn call(&self, operation: &Operation, path: &str) -> Call<'_> {
        let call = self.app.call(&operation.method, path);
        match (operation.is_private(), operation.is_for_admins()) {
            (_, true) => call.cookie(&self.admin),
            (true, false) => call.cookie(&self.owner.cookie),
            (false, false) => call,
        }
    }

    /// Sends the example.
    pub async fn send(&self, operation: &Operation, query: &str) -> Answer {
        let path = self.path(operation).await + query;
        let call = self.call(operation, &path);
        if operation.body().is_none() {
            return call.send().await;
        }
        let body = self.body(operation).await;
        call.json(&body.to_string()).send().await
    }
}

impl Owner {
    fn of(operation: &Operation) -> Self {
        let body = example_body(operation);
        let field = |name: &str| body.get(name).map(text);
        // An invitation's is that of somebody else.
        let email = field("email").filter(|_| operation.name() != "createInvitation");
        let password = match email {
            Some(_) => field("password"),
            None => field("current_password"),
        };
        Self {
            email: email.unwrap_or_else(|| "ada@example.com".into()),
            password: password.unwrap_or_else(|| PASSWORD.into()),
            cookie: String::new(),
        }
    }
}

/// The body in the document, as it stands.
pub fn example_body(operation: &Operation) -> Value {
    let body = operation.value.get("requestBody");
    body.map_or(Value::Null, |body| json_of(body)["example"].clone())
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}
