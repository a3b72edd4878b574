//! `kill -9` at random moments under mixed writes: what was acknowledged is there, what was not is
//! whole or absent, and the database is sound.
//!
//! `KILLS` sets the number of rounds, `SEED` repeats a run.

#![expect(clippy::print_stdout, reason = "it says what it has counted")]

mod support;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use rusqlite::Connection;
use serde_json::{Value, json};
use support::{Account, Dice, Program, Spawn, eventually};

const CLIENTS: u64 = 6;

/// What a key may look like after the crash: more than one thing while a write is under way.
#[derive(Debug, Clone, PartialEq)]
enum Allowed {
    Absent,
    Named(String),
}

/// The keys, and the states that each may be in.
type Model = HashMap<String, Vec<Allowed>>;

/// A session's cookie, and whether it may still open a door.
type Sessions = HashMap<String, bool>;

#[derive(Default)]
struct World {
    model: Mutex<Model>,
    sessions: Mutex<Sessions>,
    acknowledged: AtomicU64,
}

impl World {
    /// Notes that a write to a key began: until it is acknowledged, both states will do.
    fn begin(&self, id: &str, after: Allowed) {
        let mut model = self.model.lock().expect("not poisoned");
        model.get_mut(id).expect("a known key").push(after);
    }

    fn acknowledge(&self, id: &str, now: Allowed) {
        let mut model = self.model.lock().expect("not poisoned");
        model.insert(id.to_owned(), vec![now]);
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
    }
}

/// Creates, renames and deletes keys of its own until the program is gone.
async fn write_until_killed(world: Arc<World>, account: Account, mut dice: Dice) {
    let mut own: Vec<String> = Vec::new();
    loop {
        let name = format!("name {}", dice.roll(1_000_000));
        let written = match dice.roll(4) {
            0 | 1 => create(&world, &account, &name, &mut own).await,
            _ if own.is_empty() => continue,
            2 => rename(&world, &account, &own[dice.pick(own.len())], &name).await,
            _ => {
                let id = own.swap_remove(dice.pick(own.len()));
                delete(&world, &account, &id).await
            }
        };
        if written.is_err() {
            return;
        }
    }
}

/// Signs in, and out again half of the time.
async fn sign_in_and_out(world: Arc<World>, account: Account, sign_out: bool) {
    let Ok(cookie) = account.sign_in_again().await else {
        return;
    };
    let note = |cookie: &str, alive| {
        let mut sessions = world.sessions.lock().expect("not poisoned");
        sessions.insert(cookie.to_owned(), alive);
    };
    note(&cookie, true);
    if sign_out {
        let session = Account { cookie, ..account };
        // While it is under way, either will do.
        world
            .sessions
            .lock()
            .expect("not poisoned")
            .remove(&session.cookie);
        let ended = session
            .call(reqwest::Method::DELETE, "/api/session")
            .send()
            .await;
        if ended.is_ok_and(|answer| answer.status() == 204) {
            note(&session.cookie, false);
        }
    }
}

/// Whether each session is what was acknowledged of it.
async fn check_sessions(account: &Account, sessions: Sessions) {
    for (cookie, alive) in sessions {
        let session = Account {
            cookie,
            ..account.clone()
        };
        let answer = session
            .call(reqwest::Method::GET, "/api/session")
            .send()
            .await;
        let status = answer.expect("it answers").status();
        assert_eq!(status == 200, alive, "{status}");
    }
}

async fn create(
    world: &World,
    account: &Account,
    name: &str,
    own: &mut Vec<String>,
) -> reqwest::Result<()> {
    let call = account.call(reqwest::Method::POST, "/api/keys");
    let answer = call.json(&json!({"name": name})).send().await?;
    assert_eq!(answer.status(), 201);
    // The acknowledgement is the status; the body may be cut off.
    let record: Value = answer.json().await?;
    let id = record["id"].as_str().expect("an id").to_owned();
    world.acknowledge(&id, Allowed::Named(name.to_owned()));
    own.push(id);
    Ok(())
}

async fn rename(world: &World, account: &Account, id: &str, name: &str) -> reqwest::Result<()> {
    world.begin(id, Allowed::Named(name.to_owned()));
    let call = account.call(reqwest::Method::PATCH, &format!("/api/keys/{id}"));
    let answer = call.json(&json!({"name": name})).send().await?;
    assert_eq!(answer.status(), 200);
    world.acknowledge(id, Allowed::Named(name.to_owned()));
    Ok(())
}

async fn delete(world: &World, account: &Account, id: &str) -> reqwest::Result<()> {
    world.begin(id, Allowed::Absent);
    let call = account.call(reqwest::Method::DELETE, &format!("/api/keys/{id}"));
    assert_eq!(call.send().await?.status(), 200);
    world.acknowledge(id, Allowed::Absent);
    Ok(())
}

/// Looks at the database as the crash left it, and settles what the model left open.
fn check(program: &Program, model: &mut Model) {
    let database = Connection::open(program.data().join("keygate.db")).expect("it opens");
    let sound: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("it answers");
    assert_eq!(sound, "ok");
    let broken: i64 = database
        .query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| {
            row.get(0)
        })
        .expect("it answers");
    assert_eq!(broken, 0);
    let kept = kept_keys(&database);
    for (id, allowed) in model.iter_mut() {
        let found = kept
            .get(id)
            .map_or(Allowed::Absent, |name| Allowed::Named(name.clone()));
        assert!(
            allowed.contains(&found),
            "{id} is {found:?}, not one of {allowed:?}"
        );
        *allowed = vec![found];
    }
    assert_audited(&database, &kept);
}

fn kept_keys(database: &Connection) -> HashMap<String, String> {
    let mut statement = database
        .prepare("SELECT lower(hex(id)), name FROM api_keys")
        .expect("it is prepared");
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))
        .expect("it answers");
    rows.map(|row| {
        let (hex, name) = row.expect("a row");
        let parts = [
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        ];
        (parts.join("-"), name)
    })
    .collect()
}

/// The audit entries, replayed from the first, give just the keys that are there.
fn assert_audited(database: &Connection, kept: &HashMap<String, String>) {
    let mut statement = database
        .prepare("SELECT action, subject_id, detail ->> 'name' FROM audit_entries WHERE action LIKE 'key.%' ORDER BY id")
        .expect("it is prepared");
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .expect("it answers");
    let mut replayed = HashMap::new();
    for row in rows {
        let (action, id, name): (String, String, Option<String>) = row.expect("a row");
        match action.as_str() {
            "key.revoke" => replayed.remove(&id),
            _ => replayed.insert(id, name.expect("a name")),
        };
    }
    assert_eq!(&replayed, kept);
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_however_often_the_program_is_killed() {
    let rounds = setting("KILLS", 200);
    let seed = setting("SEED", u64::from(std::process::id()));
    println!("SEED={seed} KILLS={rounds}");
    let mut dice = Dice::new(seed);
    let mut program = Program::start(Spawn {
        config: Some("[keys]\nmax_active = 1000000\n".into()),
        ..Spawn::default()
    });
    let mut account = Account::create_admin(&program).await;
    let world = Arc::new(World::default());
    for round in 0..rounds {
        let before = world.acknowledged.load(Ordering::SeqCst);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let dice = Dice::new(seed ^ (round * CLIENTS + client + 1));
                tokio::spawn(write_until_killed(world.clone(), account.clone(), dice))
            })
            .collect();
        let signing_in = sign_in_and_out(world.clone(), account.clone(), dice.roll(2) == 0);
        let signing_in = tokio::spawn(signing_in);
        // Some moment within some group of commits.
        let enough = before + 1 + dice.roll(80);
        let written = async || world.acknowledged.load(Ordering::SeqCst) >= enough;
        eventually("enough is acknowledged", written).await;
        for _ in 0..dice.roll(200_000) {
            std::hint::spin_loop();
        }
        program.kill();
        for client in clients {
            client.await.expect("no client was told anything wrong");
        }
        signing_in.await.expect("it was told nothing wrong");
        check(&program, &mut world.model.lock().expect("not poisoned"));
        program = program.restart();
        account = account.at(&program.url);
        let sessions = std::mem::take(&mut *world.sessions.lock().expect("not poisoned"));
        check_sessions(&account, sessions).await;
    }
    let writes = world.acknowledged.load(Ordering::SeqCst);
    println!("{rounds} kills, {writes} acknowledged writes, none lost");
}
