//! Sessions.

use super::fixture::{Fixture, PASSWORD_HASH, at};
use crate::{Action, Session};

pub async fn a_session_is_found_by_its_token_with_its_account(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let session = f.session(ada).await;
    let found = f.store.lookup_session(session.token_hash).await;
    let (found, account) = found.expect("answers").expect("it is there");
    assert_eq!(found, session);
    assert_eq!(account.id, ada);
    assert!(!f.session_exists(&Fixture::new_session(ada)).await);
    assert_eq!(f.audited().await[0], Action::SessionCreate);
}

pub async fn a_deleted_session_is_gone(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let (one, other) = (f.session(ada).await, f.session(ada).await);
    let delete = || {
        f.store
            .delete_session(one.id, Fixture::entry(Action::SessionDelete))
    };
    assert!(delete().await.expect("answers"));
    assert!(!delete().await.expect("answers"));
    assert!(!f.session_exists(&one).await);
    assert!(f.session_exists(&other).await);
    assert_eq!(
        f.audited().await[..2],
        [Action::SessionDelete, Action::SessionCreate]
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
    let change = Fixture::entry(Action::AccountSetPassword);
    let changed = f.store.set_password(ada, "newer".into(), change).await;
    assert!(changed.expect("answers"));
    assert!(!f.insert_session(&session, PASSWORD_HASH).await);
    let suspend = Fixture::entry(Action::AccountSuspend);
    assert!(
        f.store
            .suspend_account(ada, suspend)
            .await
            .expect("answers")
    );
    assert!(!f.insert_session(&session, "newer").await);
    assert!(!f.session_exists(&session).await);
    assert_eq!(f.audited().await[0], Action::AccountSuspend);
}
