//! Keys, their limit, and who hears of their changes.

use std::sync::{Arc, Mutex};

use keygate_core::{
    FormId, KeyId, KeyState, OsRandom, RecorderId, Scope, Timestamp,
    key::{KeyHash, KeyName},
};

use super::fixture::{ExpectMade, Fixture, NOW, at};
use crate::{
    Action, ChangeListener, HasherBinding, InsertKey, KeyChanges, KeyLimits, KeyPage, KeyRules,
    KeyStatus, NewKey, PrefixBinding, UpdateKey,
};

pub async fn a_key_reads_back_as_it_was_issued(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let mut new = Fixture::new_key(ada, "Production", 0);
    new.key.details.expires_at = Some(at(60_000));
    f.insert_key(new.clone(), 10).await;
    assert_eq!(f.lookup_key(&new.key).await, Some(new.key.clone()));
    assert_eq!(f.list(ada, KeyStatus::Active).await, [new.key.clone()]);
    let credential = f.store.lookup_credential(new.hash).await.expect("answers");
    let credential = credential.expect("it is there");
    assert_eq!(credential.key_id, new.key.id);
    assert_eq!(credential.account_id, ada);
    assert_eq!(credential.scopes, new.key.details.scopes);
    assert_eq!(credential.expires_at, new.key.details.expires_at);
    assert!(credential.is_active && !credential.account_suspended);
    let unknown = f
        .store
        .lookup_credential(KeyHash::from_bytes([7; 32]))
        .await;
    assert_eq!(unknown.expect("answers"), None);
}

pub async fn keys_are_listed_newest_first_and_paged(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    for index in 0..5 {
        let key = Fixture::new_key(ada, &format!("key {index}"), index);
        f.insert_key(key, 10).await;
    }
    let page = async |before: Option<KeyId>| {
        let page = KeyPage {
            status: KeyStatus::Active,
            before,
            limit: 2,
        };
        f.store.list_keys(ada, page, NOW).await.expect("answers")
    };
    let mut names = Vec::new();
    let mut before = None;
    loop {
        let keys = page(before).await;
        let Some(last) = keys.last() else { break };
        before = Some(last.id);
        names.extend(keys.iter().map(|key| key.details.name.to_string()));
        // A page stays where it was when the key it ended with goes away.
        let entry = Fixture::entry(Action::KeyRevoke);
        assert!(f.store.delete_key(ada, last.id, entry).await.made());
    }
    assert_eq!(names, ["key 4", "key 3", "key 2", "key 1", "key 0"]);
}

pub async fn states_change_at_the_very_millisecond(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    for (name, expires_at, active) in [
        ("never", None, true),
        ("ahead", Some(at(1)), true),
        ("now", Some(at(0)), true),
        ("off and over", Some(at(0)), false),
        ("off", None, false),
    ] {
        let mut new = Fixture::new_key(ada, name, -10);
        new.key.details.expires_at = expires_at;
        new.key.is_active = active;
        f.insert_key(new, 10).await;
    }
    for (status, expected) in [
        (KeyStatus::Active, vec!["ahead", "never"]),
        (KeyStatus::Expired, vec!["now"]),
        (KeyStatus::Inactive, vec!["off", "off and over"]),
        (
            KeyStatus::All,
            vec!["ahead", "never", "now", "off", "off and over"],
        ),
    ] {
        let listed = f.list(ada, status).await;
        let mut names: Vec<_> = listed.iter().map(|key| key.details.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, expected, "{status:?}");
    }
}

pub async fn the_limit_counts_active_keys_only(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let bob = f.account("bob@example.com").await;
    let mut expired = Fixture::new_key(ada, "expired", -10);
    // By whichever clock: the database's decides, where it has one.
    expired.key.details.expires_at = Some(Timestamp::from_millis(1));
    f.insert_key(expired, 2).await;
    let (off, _) = f.key(ada, "off").await;
    f.switch(&off, false, 2).await;
    for expected in [
        InsertKey::Inserted,
        InsertKey::Inserted,
        InsertKey::LimitReached,
    ] {
        let new = Fixture::new_key(ada, "one more", 0);
        assert_eq!(f.insert_key(new, 2).await, expected);
    }
    let bobs = Fixture::new_key(bob, "one more", 0);
    assert_eq!(f.insert_key(bobs, 2).await, InsertKey::Inserted);
}

pub async fn the_limit_on_all_keys_counts_those_of_every_state(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let limits = KeyLimits {
        active: 10,
        total: 3,
    };
    let mut expired = Fixture::new_key(ada, "expired", -10);
    expired.key.details.expires_at = Some(Timestamp::from_millis(1));
    let mut off = Fixture::new_key(ada, "off", 0);
    off.key.is_active = false;
    let on = Fixture::new_key(ada, "on", 0);
    let one_more = || f.insert_within(Fixture::new_key(ada, "one more", 1), limits);
    for new in [expired, off.clone(), on] {
        assert_eq!(f.insert_within(new, limits).await, InsertKey::Inserted);
    }
    assert_eq!(one_more().await, InsertKey::TotalReached);
    let bob = f.account("bob@example.com").await;
    let bobs = Fixture::new_key(bob, "one more", 0);
    assert_eq!(f.insert_within(bobs, limits).await, InsertKey::Inserted);
    let entry = Fixture::entry(Action::KeyRevoke);
    let deleted = f.store.delete_key(ada, off.key.id, entry).await;
    assert!(deleted.made());
    assert_eq!(one_more().await, InsertKey::Inserted);
    assert_eq!(one_more().await, InsertKey::TotalReached);
}

pub async fn parallel_creates_never_exceed_the_limit_on_all_keys(f: Fixture) {
    let f = Arc::new(f);
    let ada = f.account("ada@example.com").await;
    let limits = KeyLimits {
        active: 100,
        total: 3,
    };
    let inserts: Vec<_> = (0..40)
        .map(|number| {
            let f = f.clone();
            tokio::spawn(async move {
                let mut key = Fixture::new_key(ada, "key", number);
                key.key.is_active = number % 2 == 0;
                f.insert_within(key, limits).await
            })
        })
        .collect();
    let mut inserted = 0;
    for insert in inserts {
        let outcome = insert.await.expect("no panic");
        inserted += u32::from(outcome == InsertKey::Inserted);
    }
    assert_eq!(inserted, 3);
    assert_eq!(f.list(ada, KeyStatus::All).await.len(), 3);
}

pub async fn pages_of_every_status_go_on_where_the_last_one_ended(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let bob = f.account("bob@example.com").await;
    let mut all = Vec::new();
    for number in 0..30 {
        for account in [ada, bob] {
            let mut new = Fixture::new_key(account, "key", number);
            new.key.is_active = number % 3 != 0;
            new.key.details.expires_at = (number % 3 == 1).then_some(at(40 - number * 2));
            assert_eq!(f.insert_key(new.clone(), 100).await, InsertKey::Inserted);
            all.push(new.key);
        }
    }
    all.retain(|key| key.account_id == ada);
    all.sort_by_key(|key| std::cmp::Reverse(key.id));
    for status in [
        KeyStatus::Active,
        KeyStatus::Inactive,
        KeyStatus::Expired,
        KeyStatus::All,
    ] {
        let state = match status {
            KeyStatus::Active => Some(KeyState::Active),
            KeyStatus::Inactive => Some(KeyState::Inactive),
            KeyStatus::Expired => Some(KeyState::Expired),
            KeyStatus::All => None,
        };
        let expected = all.iter();
        let expected = expected.filter(|key| state.is_none_or(|state| key.state(NOW) == state));
        let expected: Vec<KeyId> = expected.map(|key| key.id).collect();
        let mut listed: Vec<KeyId> = Vec::new();
        loop {
            let page = KeyPage {
                status,
                before: listed.last().copied(),
                limit: 4,
            };
            let keys = f.store.list_keys(ada, page, NOW).await;
            let keys = keys.expect("the store answers");
            listed.extend(keys.iter().map(|key| key.id));
            if keys.len() < 4 {
                break;
            }
        }
        assert_eq!(listed, expected, "{status:?}");
    }
}

pub async fn switching_on_needs_a_free_place(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let (one, _) = f.key(ada, "one").await;
    f.switch(&one, false, 1).await;
    let (two, _) = f.key(ada, "two").await;
    assert_eq!(f.switch(&one, true, 1).await, UpdateKey::LimitReached);
    assert!(!f.lookup_key(&one).await.expect("there").is_active);
    f.switch(&two, false, 1).await;
    assert_eq!(f.switch(&one, true, 1).await, UpdateKey::Updated);
    assert!(f.lookup_key(&one).await.expect("there").is_active);
}

pub async fn switching_on_what_is_on_takes_no_place(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let (key, _) = f.key(ada, "only").await;
    assert_eq!(f.switch(&key, true, 1).await, UpdateKey::Updated);
}

pub async fn an_expired_key_cannot_be_switched_on(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    for is_active in [true, false] {
        let mut new = Fixture::new_key(ada, "over", -10);
        new.key.details.expires_at = Some(at(0));
        new.key.is_active = is_active;
        f.insert_key(new.clone(), 10).await;
        let changes = KeyChanges {
            name: Some(KeyName::parse("renamed").expect("a name")),
            is_active: Some(true),
            ..KeyChanges::default()
        };
        assert_eq!(f.update(&new.key, changes, 10).await, UpdateKey::Expired);
        assert_eq!(f.lookup_key(&new.key).await, Some(new.key));
    }
}

pub async fn only_the_supplied_fields_of_one_key_change(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    for index in 0..50 {
        f.key(ada, &format!("bystander {index}")).await;
    }
    let before = f.list(ada, KeyStatus::All).await;
    let mut expected = before[20].clone();
    let name = KeyName::parse("renamed").expect("a name");
    let scopes = [Scope::Write, Scope::Admin].into_iter().collect();
    for changes in [
        KeyChanges {
            name: Some(name.clone()),
            ..KeyChanges::default()
        },
        KeyChanges {
            scopes: Some(scopes),
            ..KeyChanges::default()
        },
        KeyChanges {
            is_active: Some(false),
            ..KeyChanges::default()
        },
    ] {
        let details = &mut expected.details;
        details.name = changes.name.clone().unwrap_or(details.name.clone());
        details.scopes = changes.scopes.unwrap_or(details.scopes);
        expected.is_active = changes.is_active.unwrap_or(expected.is_active);
        assert_eq!(
            f.update(&before[20], changes, 100).await,
            UpdateKey::Updated
        );
        let mut all = before.clone();
        all[20] = expected.clone();
        assert_eq!(f.list(ada, KeyStatus::All).await, all);
    }
}

pub async fn another_accounts_key_cannot_be_seen_or_changed(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let eve = f.account("eve@example.com").await;
    let (key, _) = f.key(ada, "hers").await;
    let mut stolen = key.clone();
    stolen.account_id = eve;
    assert_eq!(f.lookup_key(&stolen).await, None);
    assert_eq!(f.switch(&stolen, false, 10).await, UpdateKey::NotFound);
    let entry = Fixture::entry(Action::KeyRevoke);
    assert!(!f.store.delete_key(eve, key.id, entry).await.made());
    assert_eq!(f.list(eve, KeyStatus::All).await, []);
    assert_eq!(f.lookup_key(&key).await, Some(key));
}

pub async fn a_deleted_key_is_gone(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let (key, hash) = f.key(ada, "short-lived").await;
    let delete = || {
        f.store
            .delete_key(ada, key.id, Fixture::entry(Action::KeyRevoke))
    };
    assert!(delete().await.made());
    assert!(!delete().await.made());
    assert_eq!(f.lookup_key(&key).await, None);
    assert_eq!(f.switch(&key, true, 10).await, UpdateKey::NotFound);
    let credential = f.store.lookup_credential(hash).await.expect("answers");
    assert_eq!(credential, None);
}

pub async fn last_use_moves_forward_only(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let (key, _) = f.key(ada, "used").await;
    let (unused, _) = f.key(ada, "unused").await;
    let gone = Fixture::new_key(ada, "gone", 0).key;
    for (number, (offset, expected)) in (1..).zip([(5, 5), (3, 5), (9, 9)]) {
        let uses = [(key.id, offset, 1), (gone.id, offset, 1)];
        f.flush(f.recorder, number, &uses).await;
        let used_at = f.lookup_key(&key).await.expect("there").last_used_at;
        assert_eq!(used_at, Some(at(expected)));
    }
    assert_eq!(f.lookup_key(&unused).await, Some(unused));
}

pub async fn uses_of_all_recorders_add_up_and_none_counts_twice(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let (key, _) = f.key(ada, "used").await;
    let another = RecorderId::generate(NOW, &OsRandom);
    let steps = [
        (f.recorder, 1, 2, 2),
        (another, 1, 3, 5),
        (f.recorder, 1, 2, 5),
        (f.recorder, 2, 10, 15),
        (f.recorder, 1, 2, 15),
        (another, 4, 1, 16),
        (another, 4, 1, 16),
    ];
    for (recorder, number, requests, expected) in steps {
        f.flush(recorder, number, &[(key.id, 0, requests)]).await;
        let key = f.lookup_key(&key).await.expect("there");
        assert_eq!(key.request_count, expected);
    }
}

/// Notes what it hears. It may hear of a change twice: from the store, and from its feed.
#[derive(Default)]
struct Ear(Mutex<Vec<KeyHash>>);

impl Ear {
    fn heard(&self) -> Vec<KeyHash> {
        std::mem::take(&mut self.0.lock().expect("not poisoned"))
    }
}

impl ChangeListener for Ear {
    fn everything_changed(&self) {}

    fn keys_changed(&self, keys: &[KeyHash]) {
        self.0.lock().expect("not poisoned").extend(keys);
    }
}

pub async fn listeners_hear_of_each_change_before_it_is_acknowledged(f: Fixture) {
    let ear = Arc::new(Ear::default());
    f.store.subscribe(ear.clone());
    let ada = f.account("ada@example.com").await;
    let (key, hash) = f.key(ada, "one").await;
    assert!(ear.heard().contains(&hash));
    f.switch(&key, false, 10).await;
    assert!(ear.heard().contains(&hash));
    let (_, other) = f.key(ada, "two").await;
    ear.heard();
    let both = |heard: Vec<KeyHash>| heard.contains(&hash) && heard.contains(&other);
    let entry = Fixture::entry(Action::AccountSuspend);
    f.store.suspend_account(ada, entry).await.made();
    assert!(both(ear.heard()));
    let entry = Fixture::entry(Action::AccountResume);
    f.store.resume_account(ada, entry).await.made();
    assert!(both(ear.heard()));
    let entry = Fixture::entry(Action::KeyRevoke);
    f.store.delete_key(ada, key.id, entry).await.made();
    assert!(ear.heard().contains(&hash));
}

pub async fn a_refused_change_leaves_no_trace(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let (key, _) = f.key(ada, "only").await;
    let before = f.audited().await;
    let refused = f.insert_key(Fixture::new_key(ada, "too many", 0), 1).await;
    assert_eq!(refused, InsertKey::LimitReached);
    let unknown = Fixture::new_key(ada, "unknown", 0).key;
    assert_eq!(f.switch(&unknown, true, 1).await, UpdateKey::NotFound);
    assert_eq!(f.audited().await, before);
    assert_eq!(f.list(ada, KeyStatus::All).await, [key]);
}

pub async fn parallel_creates_never_exceed_the_limit(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let f = Arc::new(f);
    let creates: Vec<_> = (0..50)
        .map(|index| {
            let f = f.clone();
            tokio::spawn(async move {
                let key = Fixture::new_key(ada, &format!("key {index}"), 0);
                f.insert_key(key, 3).await
            })
        })
        .collect();
    let mut inserted = 0;
    for create in creates {
        inserted += usize::from(create.await.expect("no panic") == InsertKey::Inserted);
    }
    assert_eq!(inserted, 3);
    assert_eq!(f.list(ada, KeyStatus::All).await.len(), 3);
}

pub async fn hashers_are_bound_while_there_are_keys(f: Fixture) {
    let bind = async |name: &str| f.store.bind_hasher(name.into()).await.expect("answers");
    assert_eq!(bind("sha256").await, HasherBinding::Bound);
    assert_eq!(bind("other").await, HasherBinding::Bound);
    let ada = f.account("ada@example.com").await;
    f.key(ada, "hashed by other").await;
    assert_eq!(bind("other").await, HasherBinding::Bound);
    let mismatch = HasherBinding::Mismatch("other".into());
    assert_eq!(bind("sha256").await, mismatch);
    assert_eq!(bind("sha256").await, mismatch);
}

pub async fn prefixes_are_bound_while_there_are_keys(f: Fixture) {
    let bind = async |prefix: &str| f.store.bind_prefix(prefix.into()).await.expect("answers");
    let bound = f.store.bind_hasher("sha256".into()).await.expect("answers");
    assert_eq!(bound, HasherBinding::Bound);
    assert_eq!(bind("old_").await, PrefixBinding::Bound);
    assert_eq!(bind("ask_").await, PrefixBinding::Bound);
    let ada = f.account("ada@example.com").await;
    f.key(ada, "begins with ask_").await;
    assert_eq!(bind("ask_").await, PrefixBinding::Bound);
    let mismatch = PrefixBinding::Mismatch("ask_".into());
    assert_eq!(bind("new_").await, mismatch);
    assert_eq!(bind("new_").await, mismatch);
}

pub async fn a_prefix_that_was_never_noted_is_that_of_the_keys(f: Fixture) {
    let bind = async |prefix: &str| f.store.bind_prefix(prefix.into()).await.expect("answers");
    let bound = f.store.bind_hasher("sha256".into()).await.expect("answers");
    assert_eq!(bound, HasherBinding::Bound);
    let ada = f.account("ada@example.com").await;
    f.key(ada, "begins with ask_").await;
    assert_eq!(bind("new_").await, PrefixBinding::Mismatch("ask_".into()));
    assert_eq!(bind("ask_").await, PrefixBinding::Bound);
    let rules = f.store.key_rules().await.expect("answers");
    assert_eq!(rules.prefix.as_deref(), Some("ask_"));
}

pub async fn the_rules_by_which_keys_were_issued_are_kept(f: Fixture) {
    let rules = async || f.store.key_rules().await.expect("answers");
    assert_eq!(rules().await, KeyRules::default());
    let bound = f.store.bind_hasher("sha256".into()).await.expect("answers");
    assert_eq!(bound, HasherBinding::Bound);
    let bound = f.store.bind_prefix("acme_".into()).await.expect("answers");
    assert_eq!(bound, PrefixBinding::Bound);
    for (active, total) in [(3, 30), (4, 30), (4, 40)] {
        let noted = f.store.note_limits(KeyLimits { active, total }).await;
        noted.expect("noted");
    }
    let noted = KeyRules {
        prefix: Some("acme_".into()),
        max_active: Some(4),
        max_total: Some(40),
    };
    assert_eq!(rules().await, noted);
}

pub async fn an_installation_is_named_once(f: Fixture) {
    let bound = f.store.bind_hasher("sha256".into()).await.expect("answers");
    assert_eq!(bound, HasherBinding::Bound);
    let name = async |drawn: &str| {
        let named = f.store.name_installation(drawn.into()).await;
        named.expect("answers")
    };
    let (one, other) = tokio::join!(name("a1b2c3d4"), name("e5f6a7b8"));
    assert_eq!(one, other, "two at once");
    assert_eq!(name("00000000").await, one);
    let rebound = f.store.bind_hasher("other".into()).await.expect("answers");
    assert_eq!(rebound, HasherBinding::Bound);
    assert_eq!(name("00000000").await, one, "whatever else is noted");
}

pub async fn names_come_back_as_they_went_in(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let longest = "\u{1f511}".repeat(255);
    for name in [
        "<script>",
        "=cmd",
        "%_",
        "'; DROP TABLE",
        "e\u{301}",
        &longest,
    ] {
        let (key, _) = f.key(ada, name).await;
        let found = f.lookup_key(&key).await.expect("there");
        assert_eq!(found.details.name.as_str(), name);
    }
}

pub async fn a_form_makes_one_key_of_an_account(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let bob = f.account("bob@example.com").await;
    let form = FormId::generate(NOW, &OsRandom);
    let by_form = |account_id| NewKey {
        form: Some(form),
        ..Fixture::new_key(account_id, "by a form", 0)
    };
    let first = by_form(ada);
    assert_eq!(f.insert_key(first.clone(), 1).await, InsertKey::Inserted);
    let before = f.audited().await;
    let repeated = InsertKey::Repeated(first.key.id);
    assert_eq!(f.insert_key(by_form(ada), 1).await, repeated);
    assert_eq!(f.audited().await, before);
    assert_eq!(f.insert_key(by_form(bob), 1).await, InsertKey::Inserted);
    let entry = Fixture::entry(Action::KeyRevoke);
    let deleted = f.store.delete_key(ada, first.key.id, entry).await;
    assert!(deleted.made());
    assert_eq!(f.insert_key(by_form(ada), 1).await, repeated);
    assert_eq!(f.list(ada, KeyStatus::All).await, []);
}

pub async fn a_form_that_is_sent_many_times_at_once_makes_one_key(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let form = FormId::generate(NOW, &OsRandom);
    let f = Arc::new(f);
    let creates: Vec<_> = (0..30)
        .map(|_| {
            let f = f.clone();
            tokio::spawn(async move {
                let key = NewKey {
                    form: Some(form),
                    ..Fixture::new_key(ada, "by a form", 0)
                };
                f.insert_key(key, 10).await
            })
        })
        .collect();
    let mut repeated = 0;
    for create in creates {
        let done = create.await.expect("no panic");
        repeated += usize::from(matches!(done, InsertKey::Repeated(_)));
    }
    assert_eq!(repeated, 29);
    assert_eq!(f.list(ada, KeyStatus::All).await.len(), 1);
}

pub async fn a_refused_form_can_be_sent_again(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let key = NewKey {
        form: Some(FormId::generate(NOW, &OsRandom)),
        ..Fixture::new_key(ada, "by a form", 0)
    };
    assert_eq!(f.insert_key(key.clone(), 0).await, InsertKey::LimitReached);
    assert_eq!(f.insert_key(key, 1).await, InsertKey::Inserted);
}
