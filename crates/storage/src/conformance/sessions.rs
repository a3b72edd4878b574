//! Sessions.

use std::net::IpAddr;

use keygate_core::{ClientMark, key::KeyName};

use super::fixture::{ExpectMade, Fixture, NOW, PASSWORD_HASH, UNLIMITED, at};
use crate::{
    Action, Actor, AuditEntry, KeyChanges, MAX_KNOWN_CLIENTS, MAX_SESSIONS, Session, SessionOrigin,
    SessionOver, UpdateKey,
};

pub async fn a_session_is_found_by_its_token_with_its_account(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let mut session = Fixture::new_session(ada);
    session.origin = SessionOrigin {
        address: Some("2001:db8::1".parse().expect("an address")),
        user_agent: Some("curl/8".into()),
        marks: Vec::new(),
    };
    assert!(f.insert_session(&session, PASSWORD_HASH).await);
    let found = f.store.lookup_session(session.token_hash).await;
    let (found, account) = found.expect("answers").expect("it is there");
    assert_eq!(found, session);
    assert_eq!(account.id, ada);
    assert!(!f.session_exists(&Fixture::new_session(ada)).await);
    assert_eq!(f.audited().await[0], Action::SessionCreate);
}

pub async fn who_has_signed_in_is_known_again(f: Fixture) {
    let (ada, bob) = (
        f.account("ada@example.com").await,
        f.account("bob@example.com").await,
    );
    let mark = |number: u32| ClientMark::of_site(IpAddr::from((number << 8).to_be_bytes()));
    let knows = async |account, number| {
        let known = f.store.knows_client(account, mark(number)).await;
        known.expect("the store answers")
    };
    assert!(!knows(ada, 1).await);
    let sign_in = async |number: u32, offset| {
        let mut session = Fixture::new_session(ada);
        session.created_at = at(offset);
        session.origin.marks = vec![mark(number), mark(0)];
        assert!(f.insert_session(&session, PASSWORD_HASH).await);
    };
    sign_in(1, 0).await;
    assert!(knows(ada, 0).await && knows(ada, 1).await);
    assert!(!knows(bob, 1).await, "to the other account");
    assert!(!knows(ada, 2).await, "from elsewhere");
    for number in 2..=MAX_KNOWN_CLIENTS {
        sign_in(number, i64::from(number)).await;
    }
    assert!(!knows(ada, 1).await, "the oldest gives way");
    assert!(knows(ada, 2).await && knows(ada, 0).await);
}

pub async fn an_account_has_so_many_sessions_and_the_least_used_gives_way(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let mut sessions = Vec::new();
    for number in 0..MAX_SESSIONS {
        let mut session = Fixture::new_session(ada);
        session.last_seen_at = at(i64::from(number));
        assert!(f.insert_session(&session, PASSWORD_HASH).await);
        sessions.push(session);
    }
    let touched = f
        .store
        .touch_session(sessions[0].id, at(500), at(100_000))
        .await;
    touched.expect("the store answers");
    let bobs = f.session(f.account("bob@example.com").await).await;
    let mut newest = Fixture::new_session(ada);
    newest.last_seen_at = at(2_000);
    assert!(f.insert_session(&newest, PASSWORD_HASH).await);
    assert!(!f.session_exists(&sessions[1]).await);
    for kept in [&sessions[0], &sessions[2], &newest, &bobs] {
        assert!(f.session_exists(kept).await);
    }
}

pub async fn a_deleted_session_is_gone(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let (one, other) = (f.session(ada).await, f.session(ada).await);
    let bob = f.account("bob@example.com").await;
    let entry = || Fixture::entry(Action::SessionDelete);
    let foreign = f.store.delete_session(bob, one.id, entry()).await;
    assert!(!foreign.made(), "another account's");
    let delete = || f.store.delete_session(ada, one.id, entry());
    assert!(delete().await.made());
    assert!(!delete().await.made());
    assert!(!f.session_exists(&one).await);
    assert!(f.session_exists(&other).await);
    assert_eq!(
        f.audited().await[..2],
        [Action::SessionDelete, Action::AccountCreate]
    );
}

pub async fn touching_moves_forward_only(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let session = f.session(ada).await;
    for (seen, ends) in [(500, 1_500), (200, 1_200)] {
        let touched = f.store.touch_session(session.id, at(seen), at(ends)).await;
        touched.expect("answers");
    }
    let found = f.store.lookup_session(session.token_hash).await;
    let (found, _) = found.expect("answers").expect("it is there");
    let expected = Session {
        last_seen_at: at(500),
        idle_ends_at: at(1_500),
        ..session
    };
    assert_eq!(found, expected);
}

pub async fn a_session_that_is_over_is_not_revived_by_its_use(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let session = f.session(ada).await;
    let touch = async |seen, ends| {
        let touched = f.store.touch_session(session.id, at(seen), at(ends)).await;
        touched.expect("answers");
        let found = f.store.lookup_session(session.token_hash).await;
        found.expect("answers").expect("it is there").0
    };
    assert_eq!(touch(1_000, 2_000).await, session, "over by its idle end");
    assert_eq!(touch(999, 20_000).await.idle_ends_at, at(20_000));
    let seen = touch(10_000, 30_000).await.last_seen_at;
    assert_eq!(seen, at(999), "over by its end");
}

pub async fn signing_in_drops_the_accounts_sessions_that_are_over(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let bob = f.account("bob@example.com").await;
    let mut idle = Fixture::new_session(ada);
    idle.idle_ends_at = at(0);
    let mut ended = Fixture::new_session(ada);
    ended.ends_at = at(0);
    let live = Fixture::new_session(ada);
    let mut bobs = Fixture::new_session(bob);
    bobs.ends_at = at(0);
    for session in [&idle, &ended, &live, &bobs] {
        assert!(f.insert_session(session, PASSWORD_HASH).await);
    }
    f.session(ada).await;
    assert!(!f.session_exists(&idle).await);
    assert!(!f.session_exists(&ended).await);
    assert!(f.session_exists(&live).await);
    assert!(f.session_exists(&bobs).await);
}

pub async fn a_sign_in_that_was_overtaken_gives_no_session(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let session = Fixture::new_session(ada);
    f.set_password(ada, "newer").await;
    assert!(!f.insert_session(&session, PASSWORD_HASH).await);
    f.suspend(ada).await;
    assert!(!f.insert_session(&session, "newer").await);
    assert!(!f.session_exists(&session).await);
    assert_eq!(f.audited().await[0], Action::AccountSuspend);
}

pub async fn a_session_that_is_over_changes_nothing(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let (key, _) = f.key(ada, "a key").await;
    let session = f.session(ada).await;
    let by = |session: &Session, action| AuditEntry {
        actor: Actor::Session(ada, session.id),
        ..Fixture::entry(action)
    };
    let rename = KeyChanges {
        name: Some(KeyName::parse("renamed").expect("a name")),
        ..KeyChanges::default()
    };
    let update = async |audit: AuditEntry| {
        let changes = rename.clone();
        f.store.update_key(ada, key.id, changes, 10, audit).await
    };
    let live = update(by(&session, Action::KeyUpdate)).await;
    assert_eq!(live.made(), UpdateKey::Updated);
    let entry = by(&session, Action::SessionDelete);
    assert!(f.store.delete_session(ada, session.id, entry).await.made());

    let mut idle = Fixture::new_session(ada);
    idle.idle_ends_at = at(0);
    assert!(f.insert_session(&idle, PASSWORD_HASH).await);
    let before = (f.audited().await, f.lookup_key(&key).await);
    for over in [&session, &idle] {
        let audit = by(over, Action::KeyUpdate);
        assert!(matches!(update(audit).await, Ok(Err(SessionOver))));
        let audit = by(over, Action::KeyIssue);
        let new = Fixture::new_key(ada, "too late", 0);
        let inserted = f.store.insert_key(new, UNLIMITED, audit).await;
        assert!(matches!(inserted, Ok(Err(SessionOver))));
        let audit = by(over, Action::KeyRevoke);
        let deleted = f.store.delete_key(ada, key.id, audit).await;
        assert!(matches!(deleted, Ok(Err(SessionOver))));
        let audit = by(over, Action::AccountSetPassword);
        let new = Fixture::new_password("newer");
        let set = f.store.set_password(ada, None, new, audit).await;
        assert!(matches!(set, Ok(Err(SessionOver))));
    }
    assert_eq!((f.audited().await, f.lookup_key(&key).await), before);
    assert!(
        f.insert_session(&Fixture::new_session(ada), PASSWORD_HASH)
            .await
    );
}

pub async fn an_accounts_live_sessions_are_listed_last_used_first(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let bob = f.account("bob@example.com").await;
    let (mut one, other) = (f.session(ada).await, f.session(ada).await);
    f.session(bob).await;
    let mut over = Fixture::new_session(ada);
    over.idle_ends_at = NOW;
    assert!(f.insert_session(&over, PASSWORD_HASH).await);
    let touched = f.store.touch_session(one.id, at(1), at(1_001)).await;
    touched.expect("answers");
    one.last_seen_at = at(1);
    one.idle_ends_at = at(1_001);
    let listed = f.store.list_sessions(ada, NOW).await.expect("answers");
    assert_eq!(listed, [one, other]);
}

pub async fn all_sessions_of_an_account_but_one_end(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let bob = f.account("bob@example.com").await;
    let (kept, other, bobs) = (
        f.session(ada).await,
        f.session(ada).await,
        f.session(bob).await,
    );
    let by = |session: &Session| AuditEntry {
        actor: Actor::Session(ada, session.id),
        ..Fixture::entry(Action::SessionDeleteOthers)
    };
    let end = async |kept: &Session| {
        let ended = f.store.delete_other_sessions(ada, kept.id, by(kept));
        ended.await
    };
    end(&kept).await.made();
    assert!(f.session_exists(&kept).await);
    assert!(!f.session_exists(&other).await);
    assert!(f.session_exists(&bobs).await);
    assert_eq!(f.audited().await[0], Action::SessionDeleteOthers);
    let refused = end(&other).await;
    assert!(matches!(refused, Ok(Err(SessionOver))));
    assert!(f.session_exists(&kept).await);
}

pub async fn two_sessions_that_end_each_other_do_not_both_go_on(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    for _ in 0..20 {
        let (one, other) = (f.session(ada).await, f.session(ada).await);
        let end = async |by: &Session, ended: &Session| {
            let entry = Fixture::entry_by(by, Action::SessionDelete);
            f.store.delete_session(ada, ended.id, entry).await
        };
        let before = f.audited().await.len();
        let done = tokio::join!(end(&one, &other), end(&other, &one));
        let left = [f.session_exists(&one).await, f.session_exists(&other).await];
        let ended = [done.0, done.1].map(|done| match done {
            Ok(Ok(done)) => done,
            Ok(Err(SessionOver)) => false,
            Err(error) => panic!("{error}"),
        });
        assert_eq!(left, ended, "whoever ends the other stays, and only they");
        assert_eq!(ended.iter().filter(|done| **done).count(), 1);
        assert_eq!(f.audited().await.len(), before + 1);
    }
}
