//! A change concerns what it names and nothing beside it, among a thousand of its kind: a condition that is
//! too wide shows here.

use std::{fmt::Debug, sync::Arc};

use keygate_core::{AccountId, ApiKey, KeyId, key::KeyName};

use super::fixture::{ExpectMade, Fixture, NOW, PASSWORD_HASH, at};
use crate::{
    AccountPage, AccountSummary, Action, KeyChanges, KeyPage, KeyStatus, Session, UpdateKey,
};

const MANY: usize = 1_000;

/// How many are made at once.
const AT_ONCE: usize = 16;

/// Asserts that of a thousand, in any order, this one alone is no longer as it was.
fn assert_only<T: Debug + PartialEq, I: Debug + PartialEq>(
    one: &I,
    id: impl Fn(&T) -> I,
    before: &[T],
    after: &[T],
) {
    assert_eq!(before.len(), MANY);
    let is_as_before = |found: &&T| before.contains(found);
    let others = after.iter().filter(|found| id(found) != *one);
    assert_eq!(others.filter(is_as_before).count(), MANY - 1, "the others");
    let itself = after.iter().find(|found| id(found) == *one);
    assert!(
        !itself.is_some_and(|found| before.contains(found)),
        "itself"
    );
}

/// A thousand of what `make` makes by number.
async fn many<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    make: impl Fn(usize) -> F,
) -> Vec<T> {
    let mut all = Vec::new();
    for first in (0..MANY).step_by(AT_ONCE) {
        let numbers = first..MANY.min(first + AT_ONCE);
        let tasks: Vec<_> = numbers.map(|number| tokio::spawn(make(number))).collect();
        for task in tasks {
            all.push(task.await.expect("no panic"));
        }
    }
    all
}

async fn list_keys(f: &Fixture, account_id: AccountId) -> Vec<ApiKey> {
    let page = KeyPage {
        status: KeyStatus::All,
        before: None,
        limit: 2_000,
    };
    let listed = f.store.list_keys(account_id, page, NOW).await;
    listed.expect("the store answers")
}

pub async fn one_of_a_thousand_keys_is_changed(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let f = Arc::new(f);
    let keys = many(|number| {
        let f = f.clone();
        async move {
            let key = Fixture::new_key(ada, &format!("key {number}"), 0);
            f.insert_key(key.clone(), 2_000).await;
            key.key
        }
    })
    .await;
    let one = &keys[500];
    let id = |key: &ApiKey| key.id;
    let before = list_keys(&f, ada).await;
    for changes in [
        KeyChanges {
            name: Some(KeyName::parse("another").expect("a name")),
            ..KeyChanges::default()
        },
        KeyChanges {
            is_active: Some(false),
            ..KeyChanges::default()
        },
    ] {
        assert_eq!(f.update(one, changes, 2_000).await, UpdateKey::Updated);
        assert_only::<ApiKey, KeyId>(&one.id, id, &before, &list_keys(&f, ada).await);
    }
    f.flush(f.recorder, 1, &[(one.id, 5, 1)]).await;
    assert_only::<ApiKey, KeyId>(&one.id, id, &before, &list_keys(&f, ada).await);
    let entry = Fixture::entry(Action::KeyRevoke);
    let deleted = f.store.delete_key(ada, one.id, entry).await;
    assert!(deleted.made());
    assert_only::<ApiKey, KeyId>(&one.id, id, &before, &list_keys(&f, ada).await);
}

/// All accounts, each with its password's hash and whether its session and key are still good.
async fn list_accounts(
    f: &Arc<Fixture>,
    sessions: &[Session],
) -> Vec<(AccountSummary, String, bool)> {
    let accounts = f.accounts(AccountPage::default()).await;
    assert_eq!(accounts.len(), MANY);
    many(|number| {
        let (f, account) = (f.clone(), accounts[number].clone());
        let own = |session: &&Session| session.account_id == account.account.id;
        let session = sessions.iter().find(own).expect("each has one").clone();
        async move {
            let stored = f.store.lookup_account(&account.account.email).await;
            let hash = stored.expect("answers").expect("it is there").password_hash;
            let signed_in = f.session_exists(&session).await;
            (account, hash, signed_in)
        }
    })
    .await
}

pub async fn one_of_a_thousand_accounts_is_changed(f: Fixture) {
    let f = Arc::new(f);
    let sessions = many(|number| {
        let f = f.clone();
        async move {
            let account_id = f.account(&format!("member{number}@example.com")).await;
            f.session(account_id).await
        }
    })
    .await;
    let one = sessions[500].account_id;
    let id = |found: &(AccountSummary, String, bool)| found.0.account.id;
    // Without another admin, this one could not be suspended. Its session ends.
    f.make_admin(sessions[501].account_id).await;
    let before = list_accounts(&f, &sessions).await;
    f.make_admin(one).await;
    assert_only(&one, id, &before, &list_accounts(&f, &sessions).await);
    f.set_password(one, "another hash").await;
    assert_only(&one, id, &before, &list_accounts(&f, &sessions).await);
    f.suspend(one).await;
    assert_only(&one, id, &before, &list_accounts(&f, &sessions).await);
    let entry = Fixture::entry(Action::AccountResume);
    assert!(f.store.resume_account(one, entry).await.made());
    assert_only(&one, id, &before, &list_accounts(&f, &sessions).await);
}

pub async fn one_of_a_thousand_sessions_is_changed(f: Fixture) {
    // No account has so many.
    let mut accounts = Vec::new();
    for number in 0..20 {
        accounts.push(f.account(&format!("ada{number}@example.com")).await);
    }
    let f = Arc::new(f);
    let sessions = many(|number| {
        let (f, account) = (f.clone(), accounts[number % accounts.len()]);
        async move {
            let session = Fixture::new_session(account);
            assert!(f.insert_session(&session, PASSWORD_HASH).await);
            session
        }
    })
    .await;
    let all = async || {
        let found = many(|number| {
            let (f, token) = (f.clone(), sessions[number].token_hash);
            async move {
                let found = f.store.lookup_session(token).await;
                found.expect("answers").map(|(session, _)| session)
            }
        });
        found.await.into_iter().flatten().collect::<Vec<_>>()
    };
    let Session {
        id: one,
        account_id: owner,
        ..
    } = sessions[500];
    let id = |session: &Session| session.id;
    let before = all().await;
    let touched = f.store.touch_session(one, at(1), at(1_001)).await;
    touched.expect("answers");
    assert_only(&one, id, &before, &all().await);
    let entry = Fixture::entry(Action::SessionDelete);
    let deleted = f.store.delete_session(owner, one, entry).await;
    assert!(deleted.made());
    assert_only(&one, id, &before, &all().await);
}
