//! Forgetting what is over.

use std::time::Duration;

use keygate_core::{FormId, LinkId, OsRandom, RecorderId, Timestamp, Token};

use super::fixture::{ExpectMade, Fixture, NOW, PASSWORD_HASH, UNLIMITED};
use crate::{Action, InsertKey, Invitation, InvitationKind, PasswordReset, Prunable};

const LONG_AGO: Timestamp = Timestamp::from_millis(1_000);
/// 2100: later than any test.
const FAR_AHEAD: Timestamp = Timestamp::from_millis(4_102_444_800_000);

impl Fixture {
    async fn prune(&self, what: Prunable, limit: u32) -> u64 {
        let pruned = self.store.prune(what, limit).await;
        pruned.expect("the store answers")
    }
}

pub async fn sessions_that_are_over_are_forgotten_some_at_a_time(f: Fixture) {
    let mut over = Vec::new();
    for number in 0..3 {
        let account = f.account(&format!("ada{number}@example.com")).await;
        let mut session = Fixture::new_session(account);
        // Not used for long, or simply too old.
        (session.idle_ends_at, session.ends_at) = match number {
            0 => (FAR_AHEAD, LONG_AGO),
            _ => (LONG_AGO, FAR_AHEAD),
        };
        assert!(f.insert_session(&session, PASSWORD_HASH).await);
        over.push(session);
    }
    let account = f.account("bob@example.com").await;
    let mut live = Fixture::new_session(account);
    (live.idle_ends_at, live.ends_at) = (FAR_AHEAD, FAR_AHEAD);
    assert!(f.insert_session(&live, PASSWORD_HASH).await);

    assert_eq!(f.prune(Prunable::Session, 2).await, 2);
    assert_eq!(f.prune(Prunable::Session, 2).await, 1);
    assert_eq!(f.prune(Prunable::Session, 2).await, 0);
    for session in &over {
        assert!(!f.session_exists(session).await);
    }
    assert!(f.session_exists(&live).await);
}

pub async fn links_that_have_expired_are_forgotten(f: Fixture) {
    let mut left = Vec::new();
    for (number, expires_at) in [LONG_AGO, LONG_AGO, FAR_AHEAD].into_iter().enumerate() {
        let token_hash = Token::generate(&OsRandom).hash();
        let invitation = Invitation {
            id: LinkId::generate(NOW, &OsRandom),
            token_hash,
            kind: InvitationKind::Invite,
            email: None,
            created_by: None,
            session_id: None,
            created_at: NOW,
            expires_at,
        };
        let entry = Fixture::entry(Action::InvitationCreate);
        let kept = f.store.insert_invitation(invitation, entry).await;
        kept.made();
        let reset = PasswordReset {
            id: LinkId::generate(NOW, &OsRandom),
            token_hash,
            account_id: f.account(&format!("ada{number}@example.com")).await,
            created_by: None,
            session_id: None,
            created_at: NOW,
            expires_at,
        };
        let entry = Fixture::entry(Action::PasswordResetCreate);
        let kept = f.store.insert_password_reset(reset, entry).await;
        assert!(kept.made());
        left.push(token_hash);
    }
    for what in [Prunable::Invitation, Prunable::PasswordReset] {
        assert_eq!(f.prune(what, 10).await, 2, "{what:?}");
        assert_eq!(f.prune(what, 10).await, 0, "{what:?}");
    }
    let [_, _, live] = left[..] else {
        panic!("three links")
    };
    let found = f.store.lookup_invitation(live).await;
    assert!(found.expect("the store answers").is_some());
    let found = f.store.lookup_password_reset(live).await;
    assert!(found.expect("the store answers").is_some());
}

pub async fn forms_that_nobody_sends_again_are_forgotten(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    for (name, sent_at) in [("old", LONG_AGO), ("new", FAR_AHEAD)] {
        let mut key = Fixture::new_key(ada, name, sent_at.as_millis() - NOW.as_millis());
        key.form = Some(FormId::generate(NOW, &OsRandom));
        assert_eq!(f.insert_key(key, 10).await, InsertKey::Inserted);
    }
    assert_eq!(f.prune(Prunable::Form, 10).await, 1);
    assert_eq!(f.prune(Prunable::Form, 10).await, 0);
}

pub async fn entries_of_the_record_are_forgotten_oldest_first(f: Fixture) {
    let mut old = Fixture::entry(Action::KeyIssue);
    old.at = LONG_AGO;
    let mut new = Fixture::entry(Action::KeyIssue);
    new.at = FAR_AHEAD;
    let ada = f.account("ada@example.com").await;
    for (number, entry) in [old.clone(), old, new].into_iter().enumerate() {
        let key = Fixture::new_key(ada, "key", i64::try_from(number).expect("small"));
        let inserted = f.store.insert_key(key, UNLIMITED, entry).await;
        assert_eq!(inserted.made(), InsertKey::Inserted);
    }
    let before = f.audited().await.len();
    let years = |number: u64| Prunable::AuditEntry(Duration::from_hours(24 * 365 * number));
    assert_eq!(f.prune(years(200), 10).await, 0);
    // The first entry is the account's, and of today: of two that are looked at, one goes.
    for expected in [1, 1, 0] {
        assert_eq!(f.prune(years(30), 2).await, expected);
    }
    assert_eq!(f.audited().await.len(), before - 2);
}

/// By the database's clock: one that is wrong on a node would have uses of all others counted twice.
pub async fn flushes_are_remembered_whatever_a_nodes_clock_says(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let (key, _) = f.key(ada, "used").await;
    let recorder = RecorderId::generate(LONG_AGO, &OsRandom);
    f.flush(recorder, 1, &[(key.id, 0, 3)]).await;
    assert_eq!(f.prune(Prunable::Flush, 10).await, 0);
    f.flush(recorder, 1, &[(key.id, 0, 3)]).await;
    let used = f.lookup_key(&key).await.expect("it is there");
    assert_eq!(used.request_count, 3);
}
