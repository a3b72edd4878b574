use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use super::{
    super::event::{Answer, Operation},
    super::world::{Ask, Cookie, Link, Person, Reply, World, recent},
    Client,
};
use crate::support::Dice;

/// Makes an invitation.
pub async fn invite(world: &World, by: &Cookie, node: usize) {
    make_link(world, by, None, node).await;
}

async fn make_link(world: &World, by: &Cookie, resets: Option<Arc<Person>>, node: usize) {
    let path = match &resets {
        None => "/api/admin/invitations".to_owned(),
        Some(person) => format!("/api/admin/accounts/{}/password-reset", person.id),
    };
    let reply = world.ask(Ask {
        node,
        by: Some(by),
        method: Method::POST,
        path,
        body: None,
    });
    let reply = reply.await;
    let what = Operation::Link {
        link: reply.text("id"),
        resets: resets.as_ref().map(|person| person.email.clone()),
        by: by.of.email.clone(),
    };
    world.note(&reply, what);
    if let Some((_, token)) = reply.text("link").split_once("token=") {
        let (id, token) = (reply.text("id"), token.to_owned());
        world.at_hand().links.push(Link { id, token, resets });
    }
}

/// Makes an account with an invitation.
pub async fn sign_up(world: &World, link: &Link, node: usize, seed: u64) {
    let email = format!("member-{}-of-{seed}@example.com", world.number());
    let password = new_password(world);
    let body = json!({"email": email, "password": password, "invitation": link.token});
    let reply = post(world, node, "/api/accounts", body).await;
    let what = Operation::SignUp {
        link: link.id.clone(),
        account: email.clone(),
        password: password.clone(),
    };
    world.note(&reply, what);
    if reply.is_done() {
        let person = Person::new(&email, &reply.text("id"), &password, false);
        world.at_hand().people.push(person);
    }
}

/// Signs in, and asks for the session's id.
pub async fn sign_in(world: &World, person: &Arc<Person>, password: String, node: usize) {
    let body = json!({"email": person.email, "password": password});
    let reply = post(world, node, "/api/session", body).await;
    let begins = world.number();
    let mut id = None;
    if let Some(value) = reply.cookie.clone() {
        let cookie = Cookie {
            session: begins,
            value,
            of: person.clone(),
        };
        world.at_hand().cookies.push(cookie.clone());
        let listed = look(world, &cookie, node, "/api/account/sessions").await;
        let mut sessions = listed.body.as_array().into_iter().flatten();
        let current = sessions.find(|session| session["is_current"] == true);
        id = current.and_then(|session| Some(session["id"].as_str()?.to_owned()));
    }
    let what = Operation::SignIn {
        account: person.email.clone(),
        password,
        begins,
        id,
    };
    world.note(&reply, what);
}

/// Asks something by a session that changes nothing.
async fn look(world: &World, cookie: &Cookie, node: usize, path: &str) -> Reply {
    let reply = world.ask(Ask {
        node,
        by: Some(cookie),
        method: Method::GET,
        path: path.into(),
        body: None,
    });
    let reply = reply.await;
    world.note(&reply, Operation::Look);
    reply
}

/// Uses a link to replace a password.
async fn reset(world: &World, link: &Link, person: &Person, password: &str, node: usize) {
    let body = json!({"token": link.token, "password": password});
    let reply = post(world, node, "/api/account/password-reset", body).await;
    if !matches!(reply.answer, Answer::Refused(_)) {
        let mut passwords = person.passwords.lock().expect("not poisoned");
        passwords.push(password.to_owned());
    }
    let what = Operation::Reset {
        link: link.id.clone(),
        account: person.email.clone(),
        password: password.to_owned(),
    };
    world.note(&reply, what);
}

async fn withdraw(world: &World, link: &Link, by: &Cookie, node: usize) {
    let reply = world.ask(Ask {
        node,
        by: Some(by),
        method: Method::DELETE,
        path: format!("/api/admin/links/{}", link.id),
        body: None,
    });
    let what = Operation::Withdraw {
        link: link.id.clone(),
        resets: link.resets.as_ref().map(|person| person.email.clone()),
        by: by.of.email.clone(),
    };
    world.note(&reply.await, what);
}

async fn post(world: &World, node: usize, path: &str, body: Value) -> Reply {
    let ask = Ask {
        node,
        by: None,
        method: Method::POST,
        path: path.into(),
        body: Some(body),
    };
    world.ask(ask).await
}

/// One that nobody had before.
fn new_password(world: &World) -> String {
    format!("{} horses under a violet staple", world.number())
}

/// The account's password, or now and then one that it had before.
fn some_password(person: &Person, dice: &mut Dice) -> String {
    let passwords = person.passwords.lock().expect("not poisoned");
    let newest = if dice.roll(4) == 0 { 3 } else { 1 };
    recent(&passwords, dice, newest).expect("each has one")
}

impl Client {
    pub(super) async fn sign_in_at_random(&mut self) {
        let person = self.person();
        let password = some_password(&person, &mut self.dice);
        let node = self.node();
        sign_in(&self.world, &person, password, node).await;
    }

    pub(super) async fn sign_out(&mut self) {
        // But for the first one, by which all can be seen in the end.
        let Some(cookie) = self.cookie(|cookie| cookie.session != 0) else {
            return;
        };
        let reply = self.world.ask(Ask {
            node: self.world.node(&mut self.dice),
            by: Some(&cookie),
            method: Method::DELETE,
            path: "/api/session".into(),
            body: None,
        });
        let reply = reply.await;
        let account = cookie.of.email.clone();
        self.world.note(&reply, Operation::SignOut { account });
    }

    pub(super) async fn look(&mut self) {
        let cookies = self.world.at_hand().cookies.clone();
        if let Some(cookie) = recent(&cookies, &mut self.dice, 16) {
            let node = self.node();
            look(&self.world, &cookie, node, "/api/session").await;
        }
    }

    /// Suspends an account, or resumes one that is suspended.
    pub(super) async fn suspend_or_resume(&mut self) {
        let people = self.world.at_hand().people.clone();
        let is_suspended = |person: &&Arc<Person>| person.suspended.try_lock().is_ok_and(|is| *is);
        let suspended: Vec<_> = people.iter().filter(is_suspended).cloned().collect();
        let person = match recent(&suspended, &mut self.dice, 3) {
            Some(person) if self.dice.roll(4) != 0 => person,
            _ => self.victim(),
        };
        let Some(cookie) = self.admins_cookie(Some(&person)) else {
            return;
        };
        let Ok(mut suspended) = person.suspended.try_lock() else {
            return;
        };
        let verb = if *suspended { "resume" } else { "suspend" };
        loop {
            let reply = self.world.ask(Ask {
                node: self.world.node(&mut self.dice),
                by: Some(&cookie),
                method: Method::POST,
                path: format!("/api/admin/accounts/{}/{verb}", person.id),
                body: None,
            });
            let reply = reply.await;
            let (account, by) = (person.email.clone(), cookie.of.email.clone());
            let what = if *suspended {
                Operation::Resume { account, by }
            } else {
                Operation::Suspend { account, by }
            };
            self.world.note(&reply, what);
            match reply.answer {
                Answer::Done => *suspended = !*suspended,
                Answer::Refused(_) => {}
                Answer::Unknown => continue,
            }
            break;
        }
    }

    pub(super) async fn make_link(&mut self) {
        let resets = (self.dice.roll(3) != 0).then(|| self.victim());
        if let Some(cookie) = self.admins_cookie(resets.as_ref()) {
            let node = self.node();
            make_link(&self.world, &cookie, resets, node).await;
        }
    }

    fn link(&mut self) -> Option<Link> {
        let links = self.world.at_hand().links.clone();
        recent(&links, &mut self.dice, 4)
    }

    /// Uses a link, often while somebody else uses it, signs in with the password that it replaces or
    /// withdraws it.
    pub(super) async fn use_link(&mut self) {
        let Some(link) = self.link() else { return };
        let (node, other) = (self.node(), self.node());
        let world = self.world.clone();
        let Some(person) = &link.resets else {
            let (seed, other_seed) = (self.dice.roll(1_000_000), self.dice.roll(1_000_000));
            let first = sign_up(&world, &link, node, seed);
            if self.dice.roll(2) == 0 {
                tokio::join!(first, sign_up(&world, &link, other, other_seed));
            } else {
                first.await;
            }
            return;
        };
        let Ok(_replacing) = person.replacing.try_lock() else {
            return;
        };
        let password = new_password(&world);
        let reset_it = reset(&world, &link, person, &password, node);
        match self.dice.roll(4) {
            0 => {
                let another = new_password(&world);
                let again = reset(&world, &link, person, &another, other);
                tokio::join!(reset_it, again);
            }
            1 => {
                let replaced = some_password(person, &mut self.dice);
                tokio::join!(reset_it, sign_in(&world, person, replaced, other));
            }
            2 => match self.admins_cookie(None) {
                Some(by) => {
                    tokio::join!(reset_it, withdraw(&world, &link, &by, other));
                }
                None => reset_it.await,
            },
            _ => reset_it.await,
        }
    }

    pub(super) async fn withdraw(&mut self) {
        if let (Some(link), Some(cookie)) = (self.link(), self.admins_cookie(None)) {
            let node = self.node();
            withdraw(&self.world, &link, &cookie, node).await;
        }
    }
}
