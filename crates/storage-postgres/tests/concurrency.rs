//! Changes that touch the same accounts and sessions at the same time, from two nodes.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use futures_util::future::{BoxFuture, join_all};
use keygate_core::{AccountId, LinkId, OsRandom, Role, SessionId, SystemClock, Token};
use keygate_storage::{
    Action, Actor, AuditEntry, ChangeAccount, Made, PasswordReset, Session, SessionOver,
    SetPassword, StorageError, Store,
    conformance::{ExpectMade, Fixture},
};
use keygate_storage_postgres::{PostgresOptions, testing::PostgresServer};

static SERVER: LazyLock<PostgresServer> = LazyLock::new(PostgresServer::start);

/// How often each pair of changes meets.
const ROUNDS: usize = 60;

/// An account with two sessions.
#[derive(Clone, Copy)]
struct Party {
    id: AccountId,
    sessions: [SessionId; 2],
}

impl Party {
    /// An entry that says that this party does it to that account by one of its sessions.
    fn by(self, session: usize, action: Action, whom: AccountId) -> AuditEntry {
        AuditEntry {
            actor: Actor::Session(self.id, self.sessions[session]),
            account_id: Some(whom),
            ..Fixture::entry(action)
        }
    }
}

/// Two nodes over one database, and a name for the accounts of a test.
struct Nodes {
    one: Fixture,
    other: Fixture,
    name: &'static str,
}

type Change<'a> = BoxFuture<'a, Result<Made<bool>, StorageError>>;

impl Nodes {
    async fn party(&self, name: &str) -> Party {
        let address = format!("{name}@{}.example", self.name);
        let id = self.one.account(&address).await;
        let sessions = [self.one.session(id).await, self.one.session(id).await];
        Party {
            id,
            sessions: sessions.map(|Session { id, .. }| id),
        }
    }

    /// Has two changes made at once, again and again, each by other parties. Every time one of them is
    /// made, and the other finds that the session is over by which it was to be made.
    async fn one_of_two_is_made(
        &self,
        changes: impl for<'a> Fn(&'a Self, Party, Party) -> (Change<'a>, Change<'a>),
    ) {
        for round in 0..ROUNDS {
            let ada = self.party(&format!("ada{round}")).await;
            let bob = self.party(&format!("bob{round}")).await;
            let (one, other) = changes(self, ada, bob);
            let outcomes = tokio::join!(one, other);
            let refused = |outcome: &_| matches!(outcome, Ok(Err(SessionOver)));
            let is_right = match &outcomes {
                (Ok(Ok(true)), other) => refused(other),
                (one, Ok(Ok(true))) => refused(one),
                _ => false,
            };
            assert!(is_right, "{} {round}: {outcomes:?}", self.name);
        }
    }
}

async fn end_others(
    store: &dyn Store,
    party: Party,
    kept: usize,
) -> Result<Made<bool>, StorageError> {
    let entry = party.by(kept, Action::SessionDeleteOthers, party.id);
    let ended = store.delete_other_sessions(party.id, party.sessions[kept], entry);
    Ok(ended.await?.map(|()| true))
}

fn is_changed(change: BoxFuture<'_, Result<Made<ChangeAccount>, StorageError>>) -> Change<'_> {
    Box::pin(async {
        Ok(change
            .await?
            .map(|changed| changed == ChangeAccount::Changed))
    })
}

async fn two_sessions_end_each_other(nodes: Nodes) {
    nodes
        .one_of_two_is_made(|nodes, ada, _| {
            let end = |ended: usize, by| {
                let entry = ada.by(by, Action::SessionDelete, ada.id);
                (ada.id, ada.sessions[ended], entry)
            };
            let (a, b) = (end(0, 1), end(1, 0));
            let one = nodes.one.store.delete_session(a.0, a.1, a.2);
            let other = nodes.other.store.delete_session(b.0, b.1, b.2);
            (one, other)
        })
        .await;
}

async fn two_sessions_end_all_others(nodes: Nodes) {
    nodes
        .one_of_two_is_made(|nodes, ada, _| {
            let one = end_others(&*nodes.one.store, ada, 0);
            let other = end_others(&*nodes.other.store, ada, 1);
            (Box::pin(one), Box::pin(other))
        })
        .await;
}

async fn a_new_password_meets_the_end_of_all_others(nodes: Nodes) {
    nodes
        .one_of_two_is_made(|nodes, ada, _| {
            let entry = ada.by(0, Action::AccountSetPassword, ada.id);
            let new = Fixture::new_password("new");
            let set = nodes.one.store.set_password(ada.id, None, new, entry);
            let set = async { Ok(set.await?.map(|set| set == SetPassword::Set)) };
            let end = end_others(&*nodes.other.store, ada, 1);
            (Box::pin(set), Box::pin(end))
        })
        .await;
}

async fn two_admins_suspend_each_other(nodes: Nodes) {
    nodes
        .one_of_two_is_made(|nodes, ada, bob| {
            let suspend =
                |by: Party, whom: Party| (whom.id, by.by(0, Action::AccountSuspend, whom.id));
            let (a, b) = (suspend(ada, bob), suspend(bob, ada));
            let one = nodes.one.store.suspend_account(a.0, a.1);
            let other = nodes.other.store.suspend_account(b.0, b.1);
            (is_changed(one), is_changed(other))
        })
        .await;
}

async fn two_admins_demote_each_other(nodes: Nodes) {
    nodes
        .one_of_two_is_made(|nodes, ada, bob| {
            let demote =
                |by: Party, whom: Party| (whom.id, by.by(0, Action::AccountSetRole, whom.id));
            let (a, b) = (demote(ada, bob), demote(bob, ada));
            let one = nodes.one.store.set_role(a.0, Role::Member, a.1);
            let other = nodes.other.store.set_role(b.0, Role::Member, b.1);
            (is_changed(one), is_changed(other))
        })
        .await;
}

/// A link is made for a third account while its maker is suspended: whichever comes first.
async fn a_link_is_made_by_who_is_suspended(nodes: Nodes) {
    for round in 0..ROUNDS {
        let ada = nodes.party(&format!("ada{round}")).await;
        let bob = nodes.party(&format!("bob{round}")).await;
        let carol = nodes
            .one
            .account(&format!("carol{round}@{}.example", nodes.name))
            .await;
        let link = || PasswordReset {
            id: LinkId::generate(Fixture::entry(Action::PasswordResetCreate).at, &OsRandom),
            token_hash: Token::generate(&OsRandom).hash(),
            account_id: carol,
            created_by: Some(bob.id),
            session_id: Some(bob.sessions[0]),
            created_at: Fixture::entry(Action::PasswordResetCreate).at,
            expires_at: Fixture::entry(Action::PasswordResetCreate)
                .at
                .plus(Duration::from_secs(1)),
        };
        let insert = || {
            let entry = bob.by(0, Action::PasswordResetCreate, carol);
            nodes.one.store.insert_password_reset(link(), entry)
        };
        assert!(insert().await.made(), "bob is an admin");
        let entry = ada.by(0, Action::AccountSuspend, bob.id);
        let suspend = nodes.other.store.suspend_account(bob.id, entry);
        let (made, suspended) = tokio::join!(insert(), suspend);
        assert_eq!(suspended.made(), ChangeAccount::Changed, "{round}");
        let is_right = matches!(made, Ok(Ok(true) | Err(SessionOver)));
        assert!(is_right, "{round}: {made:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_meet_are_made_in_some_order_without_a_deadlock() {
    let url = SERVER.create_database();
    let mut options = PostgresOptions::new(&url);
    // Longer than it takes the server to find a deadlock.
    options.lock_timeout = Duration::from_secs(2);
    options.pool_size = 24;
    let open = async || {
        let store = keygate_storage_postgres::open(&options, Arc::new(SystemClock)).await;
        let store: Arc<dyn Store> = Arc::new(store.expect("it opens"));
        store
    };
    let (one, other) = (open().await, open().await);
    let nodes = |name| Nodes {
        one: Fixture::new(one.clone()),
        other: Fixture::new(other.clone()),
        name,
    };
    let all: [BoxFuture<'_, ()>; 6] = [
        Box::pin(two_sessions_end_each_other(nodes("sessions"))),
        Box::pin(two_sessions_end_all_others(nodes("others"))),
        Box::pin(a_new_password_meets_the_end_of_all_others(nodes(
            "password",
        ))),
        Box::pin(two_admins_suspend_each_other(nodes("suspend"))),
        Box::pin(two_admins_demote_each_other(nodes("demote"))),
        Box::pin(a_link_is_made_by_who_is_suspended(nodes("link"))),
    ];
    join_all(all).await;
    one.close().await;
    other.close().await;
    let (_, name) = url.rsplit_once('/').expect("a path");
    let name = name.split('?').next().expect("a name");
    let found = format!("SELECT deadlocks FROM pg_stat_database WHERE datname = '{name}'");
    assert_eq!(SERVER.sql("postgres", &found), "0");
}
