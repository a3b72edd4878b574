//! Accounts.

use keygate_core::{LinkId, OsRandom, Role};

use super::{
    fixture::{ExpectMade, Fixture, NOW, PASSWORD_HASH, at},
    links,
};
use crate::{
    AccountPage, AccountSummary, Action, Actor, Admission, AuditEntry, BeginSession, ChangeAccount,
    InsertAccount, Invitation, InvitationKind, NewPassword, PasswordReset, Session, SessionOver,
    SetPassword,
};

pub async fn an_account_is_found_by_its_address(f: Fixture) {
    let new = Fixture::new_account("ada@example.com");
    f.insert(new.clone(), Admission::Free).await;
    let found = f.store.lookup_account(&new.email).await;
    let found = found.expect("the store answers").expect("it is there");
    assert_eq!(found.account.id, new.id);
    assert_eq!(found.account.email, new.email);
    assert_eq!(found.account.created_at, NOW);
    assert_eq!(found.account.suspended_at, None);
    assert_eq!(found.password_hash, new.password_hash);
    let stranger = Fixture::new_account("eve@example.com").email;
    let found = f.store.lookup_account(&stranger).await;
    assert!(found.expect("the store answers").is_none());
    assert_eq!(f.audited().await, [Action::AccountCreate]);
}

pub async fn one_address_has_one_account(f: Fixture) {
    f.account("ada@example.com").await;
    let second = f
        .insert(Fixture::new_account("ada@example.com"), Admission::Free)
        .await;
    assert_eq!(second, InsertAccount::EmailTaken);
    assert_eq!(f.accounts(AccountPage::default()).await.len(), 1);
    assert_eq!(f.audited().await, [Action::AccountCreate]);
}

pub async fn a_stranger_cannot_make_the_first_account(f: Fixture) {
    let eve = Fixture::new_account("eve@example.com");
    let open = f.insert(eve.clone(), Admission::Open).await;
    assert_eq!(open, InsertAccount::NotSetUp);
    assert_eq!(f.accounts(AccountPage::default()).await, []);
    assert_eq!(f.audited().await, []);
    f.account("ada@example.com").await;
    let open = f.insert(eve, Admission::Open).await;
    assert_eq!(open, InsertAccount::Inserted);
}

pub async fn it_is_known_whether_there_is_an_admin(f: Fixture) {
    let has_admin = async || f.store.has_admin().await.expect("answers");
    assert!(!has_admin().await);
    let ada = f.account("ada@example.com").await;
    assert!(!has_admin().await);
    f.make_admin(ada).await;
    assert!(has_admin().await);
}

pub async fn the_last_admin_stays_one(f: Fixture) {
    let suspend = |id| f.try_suspend(id);
    let demote = |id| f.set_role(id, Role::Member);
    let (ada, bob) = (
        f.account("ada@example.com").await,
        f.account("bob@example.com").await,
    );
    f.make_admin(ada).await;
    let before = (f.accounts(AccountPage::default()).await, f.audited().await);
    assert_eq!(suspend(ada).await, ChangeAccount::LastAdmin);
    assert_eq!(demote(ada).await, ChangeAccount::LastAdmin);
    let after = (f.accounts(AccountPage::default()).await, f.audited().await);
    assert!(before == after, "nothing is changed by it");
    f.make_admin(bob).await;
    assert_eq!(suspend(ada).await, ChangeAccount::Changed);
    // Who is suspended looks after nothing.
    assert_eq!(demote(bob).await, ChangeAccount::LastAdmin);
    assert_eq!(suspend(bob).await, ChangeAccount::LastAdmin);
    assert_eq!(demote(ada).await, ChangeAccount::Changed);
    f.make_admin(ada).await;
    let entry = Fixture::entry(Action::AccountResume);
    assert!(f.store.resume_account(ada, entry).await.made());
    assert_eq!(demote(bob).await, ChangeAccount::Changed);
    assert!(f.store.has_admin().await.expect("answers"));
}

pub async fn of_two_last_admins_that_are_suspended_at_once_one_stays(f: Fixture) {
    let (ada, bob) = (
        f.account("ada@example.com").await,
        f.account("bob@example.com").await,
    );
    for round in 0..20 {
        for id in [ada, bob] {
            f.make_admin(id).await;
            let entry = Fixture::entry(Action::AccountResume);
            f.store.resume_account(id, entry).await.made();
        }
        let (one, other) = tokio::join!(f.try_suspend(ada), f.set_role(bob, Role::Member));
        assert!(f.store.has_admin().await.expect("answers"), "{round}");
        let done = [one, other];
        assert!(done.contains(&ChangeAccount::Changed), "{done:?}");
        assert!(done.contains(&ChangeAccount::LastAdmin), "{done:?}");
    }
}

pub async fn an_account_and_its_first_session_are_one_change(f: Fixture) {
    let (ada, eve) = (
        Fixture::new_account("ada@example.com"),
        Fixture::new_account("ada@example.com"),
    );
    for (account, expected) in [
        (ada, InsertAccount::Inserted),
        (eve, InsertAccount::EmailTaken),
    ] {
        let session = Fixture::new_session(account.id);
        let begin = BeginSession {
            session: session.clone(),
            audit: Fixture::entry(Action::SessionCreate),
        };
        let entry = Fixture::entry(Action::AccountCreate);
        let made = f
            .store
            .insert_account(account, Admission::Free, Some(begin), entry)
            .await;
        assert_eq!(made.made(), expected);
        let is_there = f.session_exists(&session).await;
        assert_eq!(is_there, expected == InsertAccount::Inserted);
    }
    let both = [Action::SessionCreate, Action::AccountCreate];
    assert_eq!(f.audited().await, both);
}

pub async fn a_new_password_and_its_session_are_one_change(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let old = f.session(ada).await;
    let session = Fixture::new_session(ada);
    let change = async |replaces: &str, by: &Session| {
        let new = NewPassword {
            hash: "newer".into(),
            session: Some(BeginSession {
                session: session.clone(),
                audit: Fixture::entry(Action::SessionCreate),
            }),
        };
        let entry = Fixture::entry_by(by, Action::AccountSetPassword);
        let set = f.store.set_password(ada, Some(replaces.into()), new, entry);
        set.await
    };
    let before = f.audited().await;
    let overtaken = change("another", &old).await;
    assert_eq!(overtaken.made(), SetPassword::Overtaken);
    assert!(f.session_exists(&old).await);
    assert!(!f.session_exists(&session).await);
    assert_eq!(f.audited().await, before, "a refusal changes nothing");
    let set = change(PASSWORD_HASH, &old).await;
    assert_eq!(set.made(), SetPassword::Set);
    assert!(!f.session_exists(&old).await);
    assert!(f.session_exists(&session).await);
    let both = [Action::SessionCreate, Action::AccountSetPassword];
    assert_eq!(f.audited().await[..2], both);
    let over = change("newer", &old).await;
    assert!(matches!(over, Ok(Err(SessionOver))));
}

pub async fn of_two_who_replace_one_password_one_does(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    for round in 0..20 {
        let (before, after) = (format!("hash {round}"), format!("hash {}", round + 1));
        f.set_password(ada, &before).await;
        let entries = f.audited().await.len();
        let replace = async || {
            let entry = Fixture::entry(Action::AccountSetPassword);
            let new = Fixture::new_password(&after);
            let set = f
                .store
                .set_password(ada, Some(before.clone()), new, entry)
                .await;
            set.made()
        };
        let (one, other) = tokio::join!(replace(), replace());
        assert!([one, other].contains(&SetPassword::Set));
        assert!([one, other].contains(&SetPassword::Overtaken));
        assert_eq!(f.audited().await.len(), entries + 1);
    }
}

pub async fn of_two_admins_that_suspend_each_other_one_stays(f: Fixture) {
    for round in 0..20 {
        let admin = async |name: &str| {
            let id = f.account(&format!("{name}{round}@example.com")).await;
            f.make_admin(id).await;
            (id, f.session(id).await)
        };
        let ((ada, adas), (bob, bobs)) = (admin("ada").await, admin("bob").await);
        let suspend = async |by: &Session, whom| {
            let entry = Fixture::entry_by(by, Action::AccountSuspend);
            f.store.suspend_account(whom, entry).await
        };
        let done = tokio::join!(suspend(&adas, bob), suspend(&bobs, ada));
        let done = [done.0, done.1].map(|done| match done {
            Ok(Ok(done)) => done == ChangeAccount::Changed,
            Ok(Err(SessionOver)) => false,
            Err(error) => panic!("{error}"),
        });
        assert_eq!(done.iter().filter(|done| **done).count(), 1, "{done:?}");
        let left = [f.session_exists(&adas).await, f.session_exists(&bobs).await];
        assert_eq!(
            left, done,
            "whoever suspends the other stays, and only they"
        );
    }
}

pub async fn a_new_password_ends_the_accounts_sessions_only(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let bob = f.account("bob@example.com").await;
    let (adas, bobs) = (f.session(ada).await, f.session(bob).await);
    f.set_password(ada, "another hash").await;
    assert!(!f.session_exists(&adas).await);
    assert!(f.session_exists(&bobs).await);
    let email = Fixture::new_account("ada@example.com").email;
    let stored = f.store.lookup_account(&email).await.expect("answers");
    assert_eq!(stored.expect("there").password_hash, "another hash");
    assert_eq!(f.audited().await[0], Action::AccountSetPassword);
}

pub async fn suspension_ends_sessions_and_shuts_keys_until_resumed(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let session = f.session(ada).await;
    let (_, hash) = f.key(ada, "a").await;
    let suspended = async |f: &Fixture| {
        let found = f.store.lookup_credential(hash).await.expect("answers");
        found.expect("the key is there").account_suspended
    };
    assert!(!suspended(&f).await);
    f.suspend(ada).await;
    assert!(suspended(&f).await);
    assert!(!f.session_exists(&session).await);
    let accounts = f.accounts(AccountPage::default()).await;
    assert_eq!(accounts[0].account.suspended_at, Some(NOW));
    let entry = Fixture::entry(Action::AccountResume);
    assert!(f.store.resume_account(ada, entry).await.made());
    assert!(!suspended(&f).await);
    assert!(!f.session_exists(&session).await);
    assert_eq!(
        f.audited().await[..2],
        [Action::AccountResume, Action::AccountSuspend]
    );
}

pub async fn an_unknown_account_cannot_be_changed(f: Fixture) {
    let stranger = Fixture::new_account("eve@example.com").id;
    let entry = |action| Fixture::entry(action);
    let store = &f.store;
    for replaces in [None, Some(PASSWORD_HASH.into())] {
        let new = Fixture::new_password("hash");
        let entry = entry(Action::AccountSetPassword);
        let set = store.set_password(stranger, replaces, new, entry).await;
        assert_eq!(set.made(), SetPassword::NotFound);
    }
    let suspend = store.suspend_account(stranger, entry(Action::AccountSuspend));
    assert_eq!(suspend.await.made(), ChangeAccount::NotFound);
    let resume = store.resume_account(stranger, entry(Action::AccountResume));
    assert!(!resume.await.made());
    let role = store.set_role(stranger, Role::Admin, entry(Action::AccountSetRole));
    assert_eq!(role.await.made(), ChangeAccount::NotFound);
    let found = store.lookup_account_summary(stranger, NOW).await;
    assert_eq!(found.expect("answers"), None);
    assert_eq!(f.audited().await, []);
}

pub async fn accounts_are_listed_oldest_first_with_their_keys(f: Fixture) {
    for name in ["ada", "bob", "cyd%_"] {
        f.account(&format!("{name}@example.com")).await;
    }
    let accounts = f.accounts(AccountPage::default()).await;
    let ids: Vec<_> = accounts.iter().map(|found| found.account.id).collect();
    assert!(ids.is_sorted() && ids.len() == 3, "{ids:?}");
    let bob = accounts
        .iter()
        .find(|found| found.account.email.as_str() == "bob@example.com");
    let bob = bob.expect("he is there").account.clone();

    let (key, _) = f.key(bob.id, "off").await;
    f.switch(&key, false, 10).await;
    let mut over = Fixture::new_key(bob.id, "over", -10);
    over.key.details.expires_at = Some(at(0));
    f.insert_key(over, 10).await;
    f.key(bob.id, "on").await;
    let expected = AccountSummary {
        account: bob.clone(),
        active_keys: 1,
        keys: 3,
        reset_ends_at: None,
    };
    let found = f.store.lookup_account_summary(bob.id, NOW).await;
    assert_eq!(found.expect("answers").as_ref(), Some(&expected));
    let search = |text: &str| AccountPage {
        search: Some(text.into()),
        ..AccountPage::default()
    };
    assert_eq!(f.accounts(search("bob@")).await, [expected]);
    assert_eq!(f.accounts(search("d%_@")).await.len(), 1);
    assert_eq!(f.accounts(search("eve")).await, []);

    let after = |place: Option<usize>| AccountPage {
        after: place.map(|place| ids[place]),
        limit: 2,
        ..AccountPage::default()
    };
    let accounts = f.accounts(AccountPage::default()).await;
    assert_eq!(f.accounts(after(None)).await, accounts[..2]);
    assert_eq!(f.accounts(after(Some(1))).await, accounts[2..]);
    assert_eq!(f.accounts(after(Some(2))).await, []);
}

pub async fn another_role_ends_the_accounts_sessions(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let session = f.session(ada).await;
    f.make_admin(ada).await;
    assert!(!f.session_exists(&session).await);
    let accounts = f.accounts(AccountPage::default()).await;
    assert_eq!(accounts[0].account.role, Role::Admin);
    assert_eq!(f.audited().await[0], Action::AccountSetRole);
}

pub async fn an_admin_whose_session_is_over_changes_no_account(f: Fixture) {
    let admin = f.account("admin@example.com").await;
    let ada = f.account("ada@example.com").await;
    let over = Fixture::new_session(admin);
    let by = |action| AuditEntry {
        actor: Actor::Session(admin, over.id),
        ..Fixture::entry(action)
    };
    let link = links::invite(&f).await.id;
    let before = (f.accounts(AccountPage::default()).await, f.audited().await);
    let refused = [
        f.store
            .suspend_account(ada, by(Action::AccountSuspend))
            .await,
        f.store
            .set_role(ada, Role::Admin, by(Action::AccountSetRole))
            .await,
    ];
    for refused in refused {
        assert!(matches!(refused, Ok(Err(SessionOver))));
    }
    let refused = f.store.resume_account(ada, by(Action::AccountResume)).await;
    assert!(matches!(refused, Ok(Err(SessionOver))));
    let reset = PasswordReset {
        id: LinkId::generate(NOW, &OsRandom),
        token_hash: over.token_hash,
        account_id: ada,
        created_by: None,
        session_id: None,
        created_at: NOW,
        expires_at: at(1_000),
    };
    let entry = by(Action::PasswordResetCreate);
    let refused = f.store.insert_password_reset(reset, entry).await;
    assert!(matches!(refused, Ok(Err(SessionOver))));
    let invitation = Invitation {
        id: LinkId::generate(NOW, &OsRandom),
        token_hash: over.token_hash,
        kind: InvitationKind::Invite,
        email: None,
        created_by: None,
        session_id: None,
        created_at: NOW,
        expires_at: at(1_000),
    };
    let entry = by(Action::InvitationCreate);
    let refused = f.store.insert_invitation(invitation, entry).await;
    assert!(matches!(refused, Ok(Err(SessionOver))));
    let entry = by(Action::InvitationWithdraw);
    let refused = f.store.delete_link(link, entry).await;
    assert!(matches!(refused, Ok(Err(SessionOver))));
    assert!(links::is_listed(&f, link).await);
    let after = (f.accounts(AccountPage::default()).await, f.audited().await);
    assert_eq!(after, before);
    let found = f.store.lookup_password_reset(over.token_hash).await;
    assert_eq!(found.expect("answers"), None);
}
