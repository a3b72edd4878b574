//! What clients do, at random.

mod incidents;
mod keys;
mod people;

use std::sync::Arc;

use tokio::sync::mpsc;

use super::world::{Cookie, Person, World, recent};
use crate::support::{Caller, Dice};

pub use people::{invite, sign_in, sign_up};

/// Somebody who does something at random again and again.
pub struct Client {
    pub world: Arc<World>,
    pub dice: Dice,
    /// A connection to each node for calls with keys, made when it is needed: nodes end those on which nothing
    /// comes.
    callers: Vec<Option<Caller>>,
    /// Breaks a node's connections to the database.
    breaks: Option<mpsc::UnboundedSender<usize>>,
}

impl Client {
    pub fn new(
        world: &Arc<World>,
        seed: u64,
        breaks: Option<mpsc::UnboundedSender<usize>>,
    ) -> Self {
        Self {
            world: world.clone(),
            dice: Dice::new(seed),
            callers: world.urls.iter().map(|_| None).collect(),
            breaks,
        }
    }

    pub async fn act(&mut self) {
        match self.dice.roll(1_000) {
            0..40 => self.issue().await,
            40..110 => self.change().await,
            110..130 => self.revoke().await,
            130..150 => self.sign_in_at_random().await,
            150..160 => self.sign_out().await,
            160..250 => self.look().await,
            250..266 => self.suspend_or_resume().await,
            266..278 => self.make_link().await,
            278..292 => self.use_link().await,
            292..296 => self.withdraw().await,
            296..306 => self.post().await,
            306..336 => self.say().await,
            336..366 => self.read().await,
            366..368 => self.break_connections(),
            _ => self.check().await,
        }
    }

    fn break_connections(&mut self) {
        let node = self.node();
        if let Some(breaks) = &self.breaks {
            breaks.send(node).expect("somebody breaks them");
        }
    }

    async fn caller(&mut self, node: usize) -> &mut Caller {
        let caller = &mut self.callers[node];
        match caller {
            Some(caller) => caller,
            None => caller.insert(Caller::connect(&self.world.urls[node]).await),
        }
    }

    fn node(&mut self) -> usize {
        self.world.node(&mut self.dice)
    }

    /// A session, most often one that may be alive.
    fn cookie(&mut self, chosen: impl Fn(&Cookie) -> bool) -> Option<Cookie> {
        let cookies = self.world.at_hand().cookies.clone();
        let chosen: Vec<Cookie> = cookies.into_iter().filter(chosen).collect();
        let newest = if self.dice.roll(5) == 0 { 24 } else { 1 };
        recent(&chosen, &mut self.dice, newest)
    }

    fn cookie_of(&mut self, person: &Arc<Person>) -> Option<Cookie> {
        self.cookie(|cookie| Arc::ptr_eq(&cookie.of, person))
    }

    /// That of an admin who is not this person.
    fn admins_cookie(&mut self, other_than: Option<&Arc<Person>>) -> Option<Cookie> {
        let is_other = |cookie: &Cookie| other_than.is_none_or(|one| !Arc::ptr_eq(one, &cookie.of));
        self.cookie(|cookie| cookie.of.is_admin && is_other(cookie))
    }

    fn person(&mut self) -> Arc<Person> {
        let people = self.world.at_hand().people.clone();
        people[self.dice.pick(people.len())].clone()
    }

    /// Anybody but the first, whom nothing happens to, so that there is always an admin.
    fn victim(&mut self) -> Arc<Person> {
        let people = self.world.at_hand().people.clone();
        people[1 + self.dice.pick(people.len() - 1)].clone()
    }
}
