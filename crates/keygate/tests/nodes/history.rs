//! Operations at random on three nodes, and whether what was answered can have been.
//!
//! Clients do at random what people and programs do, and note when each call began, when its answer was
//! there, and what it was. What each thing may have been when it was asked for follows from the changes that
//! must have been known by then and those that were under way. The order of changes to one thing is that of
//! the record, which has to have an entry for each and no other.

mod accounts;
mod clients;
mod event;
mod incidents;
mod kept;
mod keys;
mod links;
mod record;
mod register;
mod sessions;
mod violations;
mod world;

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use http::Method;
use serde_json::Value;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    cluster::Cluster,
    fault_proxy::{Fault, FaultProxy},
    support::{Account, EMAIL, PASSWORD},
};
use clients::{Client, invite, sign_in, sign_up};
use event::{Event, Violation};
use kept::Kept;
use record::Entry;
use world::{Cookie, Person, World};

const CLIENTS: u64 = 8;
const OPERATIONS: u64 = 4_000;
/// `SEEDS=20` for the long run, `SEED` for one of them.
const SEEDS: u64 = 3;
const MEMBERS: usize = 6;
/// How long a change of a key may take to be known on another node.
const LEASE: Duration = Duration::from_secs(1);
/// The limit on active keys, by default.
const MAX_ACTIVE: usize = 10;
const MAX_NUMBER: u64 = i64::MAX.unsigned_abs();
/// Each client of a test has an address of its own, as behind a balancer.
const CONFIG: &str = "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n";

/// What was done and answered, what the record says of it, and what was there before and after.
struct History {
    events: Vec<Event>,
    record: Vec<Entry>,
    before: Kept,
    after: Kept,
    max_active: usize,
}

impl History {
    fn check(&self) -> Result<(), Violation> {
        record::check(self)?;
        keys::check(self)?;
        accounts::check(self)?;
        sessions::check(self)?;
        links::check(self)?;
        incidents::check(self)
    }
}

/// A page of the record, newest first.
async fn read_page(account: &Account, before: u64) -> Vec<Value> {
    let path = format!("/api/admin/audit?before={before}");
    let page = account.call(Method::GET, &path).send().await;
    page.expect("an answer").json().await.expect("a list")
}

fn number(entry: &Value) -> u64 {
    entry["id"].as_u64().expect("a number")
}

/// The number of the last entry of the record.
async fn last_entry(account: &Account) -> u64 {
    number(&read_page(account, MAX_NUMBER).await[0])
}

/// The entries of the record after the one with this number, oldest first.
async fn read_record(account: &Account, after: u64) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut before = MAX_NUMBER;
    while before > after + 1 {
        let page = read_page(account, before).await;
        let Some(last) = page.last() else { break };
        before = number(last);
        let new = page.iter().filter(|entry| number(entry) > after);
        entries.extend(new.map(Entry::read));
    }
    entries.reverse();
    entries
}

/// A world with the first admin, who is signed in, another one, and members.
async fn populate(cluster: &Cluster, seed: u64, deputy: Arc<Person>) -> World {
    let urls = cluster.nodes.iter().map(|node| node.url.clone());
    let world = World::new(urls.collect());
    let first = Person::new(EMAIL, "", PASSWORD, true);
    let cookie = Cookie {
        session: 0,
        value: cluster.account.cookie.clone(),
        of: first.clone(),
    };
    world.at_hand().people.push(first);
    world.at_hand().cookies.push(cookie.clone());
    world.at_hand().people.push(deputy);
    join_all((0..MEMBERS).map(|member| invite(&world, &cookie, member % world.urls.len()))).await;
    let links = std::mem::take(&mut world.at_hand().links);
    join_all(links.iter().map(|link| sign_up(&world, link, 0, seed))).await;
    let people = world.at_hand().people.clone();
    for person in &people {
        let password = person.passwords.lock().expect("not poisoned")[0].clone();
        sign_in(&world, person, password, 0).await;
    }
    world
}

/// Makes an admin of the first account.
async fn make_admin(cluster: &Cluster) -> Account {
    let args = ["account", "set-role", EMAIL, "admin"];
    let set = tokio::task::block_in_place(|| cluster.nodes[0].cli(&args, ""));
    assert!(set.status.success(), "{set:?}");
    Account::sign_in(&cluster.nodes[0].url).await
}

/// An admin whom something can happen to.
async fn deputy(cluster: &Cluster, seed: u64) -> Arc<Person> {
    let email = format!("deputy-of-{seed}@example.com");
    let args = ["account", "create", &email, "--admin", "--password-stdin"];
    let made = tokio::task::block_in_place(|| cluster.nodes[0].cli(&args, PASSWORD));
    assert!(made.status.success(), "{made:?}");
    let path = format!("/api/admin/accounts?search={email}");
    let found = cluster.account.call(Method::GET, &path).send().await;
    let found: Value = found.expect("an answer").json().await.expect("JSON");
    let id = found[0]["id"].as_str().expect("an id");
    Person::new(&email, id, PASSWORD, true)
}

/// Those to the database: what is under way may be done or not, and nobody is told.
fn break_connections(proxy: &FaultProxy) {
    proxy.set(Fault::Broken);
    proxy.set(Fault::None);
}

/// What becomes of a seed. With every second one, nodes lose their connections now and then.
async fn run(cluster: &Cluster, seed: u64) -> History {
    let deputy = deputy(cluster, seed).await;
    let (before, last) = (Kept::read(cluster), last_entry(&cluster.account).await);
    let world = Arc::new(populate(cluster, seed, deputy).await);
    let (breaks, mut broken) = mpsc::unbounded_channel();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let breaks = (seed % 2 == 1).then(|| breaks.clone());
        let mut client = Client::new(&world, seed * CLIENTS + client + 1, breaks);
        clients.spawn(async move {
            for _ in 0..OPERATIONS / CLIENTS {
                client.act().await;
            }
        });
    }
    drop(breaks);
    loop {
        tokio::select! {
            Some(node) = broken.recv() => break_connections(&cluster.proxies[node]),
            done = clients.join_next() => match done {
                Some(done) => done.expect("no client failed"),
                None => break,
            }
        }
    }
    History {
        events: world.take_events(),
        record: read_record(&cluster.account, last).await,
        before,
        after: Kept::read(cluster),
        max_active: MAX_ACTIVE,
    }
}

#[expect(clippy::print_stdout, reason = "the seed makes a run repeatable")]
#[tokio::test(flavor = "multi_thread")]
async fn what_three_nodes_answer_can_have_been() {
    let setting = |name| std::env::var(name).map(|text| text.parse::<u64>().expect("a number"));
    let seeds = match setting("SEED") {
        Ok(seed) => seed..seed + 1,
        Err(_) => 0..setting("SEEDS").unwrap_or(SEEDS),
    };
    let mut cluster = Cluster::configured(3, CONFIG).await;
    cluster.account = make_admin(&cluster).await;
    for seed in seeds {
        let history = run(&cluster, seed).await;
        if let Err(violation) = history.check() {
            panic!("SEED={seed}: {violation}");
        }
        let (calls, entries) = (history.events.len(), history.record.len());
        println!("SEED={seed}: {calls} calls and {entries} entries, all of which can have been");
    }
}
