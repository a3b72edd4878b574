//! Accounts and invitations.

use keygate_core::{AccountId, OsRandom, Role, Token, TokenHash};

use super::fixture::{Fixture, NOW, PASSWORD_HASH, at};
use crate::{
    AccountPage, AccountSummary, Action, Actor, Admission, AuditEntry, InsertAccount, Invitation,
    InvitationKind, PasswordReset, StorageError,
};

async fn invite(f: &Fixture, kind: InvitationKind, expires_in_millis: i64) -> TokenHash {
    let token_hash = Token::generate(&OsRandom).hash();
    let invitation = Invitation {
        token_hash,
        kind,
        created_by: None,
        created_at: NOW,
        expires_at: at(expires_in_millis),
    };
    f.store
        .insert_invitation(invitation.clone(), Fixture::entry(Action::InvitationCreate))
        .await
        .expect("the store answers");
    let found = f.store.lookup_invitation(token_hash).await;
    assert_eq!(found.expect("the store answers"), Some(invitation));
    token_hash
}

async fn admit(f: &Fixture, email: &str, token_hash: TokenHash) -> InsertAccount {
    f.insert(
        Fixture::new_account(email),
        Admission::Invitation(token_hash),
    )
    .await
}

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

pub async fn an_invitation_works_once(f: Fixture) {
    f.account("ada@example.com").await;
    let token = invite(&f, InvitationKind::Invite, 1).await;
    assert_eq!(
        admit(&f, "ada@example.com", token).await,
        InsertAccount::EmailTaken,
        "a refusal does not use it up"
    );
    assert_eq!(
        admit(&f, "bob@example.com", token).await,
        InsertAccount::Inserted
    );
    assert_eq!(
        admit(&f, "eve@example.com", token).await,
        InsertAccount::InvitationInvalid
    );
}

pub async fn an_expired_invitation_does_not_work(f: Fixture) {
    let token = invite(&f, InvitationKind::Invite, 0).await;
    assert_eq!(
        admit(&f, "eve@example.com", token).await,
        InsertAccount::InvitationInvalid
    );
}

pub async fn a_set_up_link_works_only_while_there_is_no_account(f: Fixture) {
    let token = invite(&f, InvitationKind::Setup, 1_000).await;
    f.account("ada@example.com").await;
    assert_eq!(
        admit(&f, "eve@example.com", token).await,
        InsertAccount::InvitationInvalid
    );
}

pub async fn a_new_set_up_link_replaces_the_one_before(f: Fixture) {
    let before = invite(&f, InvitationKind::Setup, 1_000).await;
    let latest = invite(&f, InvitationKind::Setup, 1_000).await;
    assert_eq!(
        admit(&f, "ada@example.com", before).await,
        InsertAccount::InvitationInvalid
    );
    assert_eq!(
        admit(&f, "ada@example.com", latest).await,
        InsertAccount::Inserted
    );
}

pub async fn a_new_password_ends_the_accounts_sessions_only(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let bob = f.account("bob@example.com").await;
    let (adas, bobs) = (f.session(ada).await, f.session(bob).await);
    let changed = f
        .store
        .set_password(
            ada,
            "another hash".into(),
            Fixture::entry(Action::AccountSetPassword),
        )
        .await;
    assert!(changed.expect("the store answers"));
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
    let entry = Fixture::entry(Action::AccountSuspend);
    assert!(f.store.suspend_account(ada, entry).await.expect("answers"));
    assert!(suspended(&f).await);
    assert!(!f.session_exists(&session).await);
    let accounts = f.accounts(AccountPage::default()).await;
    assert_eq!(accounts[0].account.suspended_at, Some(NOW));
    let entry = Fixture::entry(Action::AccountResume);
    assert!(f.store.resume_account(ada, entry).await.expect("answers"));
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
    let password = store.set_password(stranger, "hash".into(), entry(Action::AccountSetPassword));
    assert!(!password.await.expect("answers"));
    let suspend = store.suspend_account(stranger, entry(Action::AccountSuspend));
    assert!(!suspend.await.expect("answers"));
    let resume = store.resume_account(stranger, entry(Action::AccountResume));
    assert!(!resume.await.expect("answers"));
    let role = store.set_role(stranger, Role::Admin, entry(Action::AccountSetRole));
    assert!(!role.await.expect("answers"));
    let found = store.lookup_account_summary(stranger, NOW).await;
    assert_eq!(found.expect("answers"), None);
    assert!(reset_link(&f, stranger, 1_000).await.is_none());
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
    over.key.expires_at = Some(at(0));
    f.insert_key(over, 10).await;
    f.key(bob.id, "on").await;
    let expected = AccountSummary {
        account: bob.clone(),
        active_keys: 1,
        keys: 3,
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
    let entry = Fixture::entry(Action::AccountSetRole);
    let set = f.store.set_role(ada, Role::Admin, entry).await;
    assert!(set.expect("answers"));
    assert!(!f.session_exists(&session).await);
    let accounts = f.accounts(AccountPage::default()).await;
    assert_eq!(accounts[0].account.role, Role::Admin);
    assert_eq!(f.audited().await[0], Action::AccountSetRole);
}

/// A link for this account; `None` if there is no such account.
async fn reset_link(f: &Fixture, account_id: AccountId, millis: i64) -> Option<TokenHash> {
    let reset = PasswordReset {
        token_hash: Token::generate(&OsRandom).hash(),
        account_id,
        created_by: None,
        created_at: NOW,
        expires_at: at(millis),
    };
    let entry = Fixture::entry(Action::PasswordResetCreate);
    let kept = f.store.insert_password_reset(reset.clone(), entry).await;
    if !kept.expect("answers") {
        return None;
    }
    let found = f.store.lookup_password_reset(reset.token_hash).await;
    let (found, account) = found.expect("answers").expect("it is there");
    assert_eq!((&found, account.id), (&reset, account_id));
    Some(reset.token_hash)
}

async fn reset(f: &Fixture, token_hash: TokenHash) -> bool {
    let entry = Fixture::entry(Action::AccountSetPassword);
    let done = f.store.reset_password(token_hash, "new".into(), entry);
    done.await.expect("answers")
}

pub async fn a_link_resets_a_password_once(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let bob = f.account("bob@example.com").await;
    let (session, bobs) = (f.session(ada).await, f.session(bob).await);
    let replaced = reset_link(&f, ada, 1_000).await.expect("kept");
    let link = reset_link(&f, ada, 1_000).await.expect("kept");
    assert!(!reset(&f, replaced).await, "a later one took its place");
    assert!(f.session_exists(&session).await);
    assert!(reset(&f, link).await);
    assert!(!f.session_exists(&session).await);
    assert!(f.session_exists(&bobs).await);
    assert!(!reset(&f, link).await);
    let found = f.store.lookup_password_reset(link).await;
    assert_eq!(found.expect("answers"), None);
    let email = Fixture::new_account("ada@example.com").email;
    let stored = f.store.lookup_account(&email).await;
    let stored = stored.expect("answers").expect("there");
    assert_eq!(stored.password_hash, "new");
}

pub async fn a_link_to_reset_a_password_ends(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let expired = reset_link(&f, ada, 0).await.expect("kept");
    assert!(!reset(&f, expired).await);
    let link = reset_link(&f, ada, 1_000).await.expect("kept");
    let entry = Fixture::entry(Action::AccountSetPassword);
    let set = f.store.set_password(ada, PASSWORD_HASH.into(), entry).await;
    assert!(set.expect("answers"));
    assert!(!reset(&f, link).await, "the password changed in between");
}

pub async fn an_admin_whose_session_is_over_changes_no_account(f: Fixture) {
    let admin = f.account("admin@example.com").await;
    let ada = f.account("ada@example.com").await;
    let over = Fixture::new_session(admin);
    let by = |action| AuditEntry {
        actor: Actor::Session(admin, over.id),
        ..Fixture::entry(action)
    };
    let before = (f.accounts(AccountPage::default()).await, f.audited().await);
    let refused = [
        f.store
            .suspend_account(ada, by(Action::AccountSuspend))
            .await,
        f.store.resume_account(ada, by(Action::AccountResume)).await,
        f.store
            .set_role(ada, Role::Admin, by(Action::AccountSetRole))
            .await,
    ];
    for refused in refused {
        assert!(matches!(refused, Err(StorageError::SessionOver)));
    }
    let reset = PasswordReset {
        token_hash: over.token_hash,
        account_id: ada,
        created_by: None,
        created_at: NOW,
        expires_at: at(1_000),
    };
    let entry = by(Action::PasswordResetCreate);
    let refused = f.store.insert_password_reset(reset, entry).await;
    assert!(matches!(refused, Err(StorageError::SessionOver)));
    let invitation = Invitation {
        token_hash: over.token_hash,
        kind: InvitationKind::Invite,
        created_by: None,
        created_at: NOW,
        expires_at: at(1_000),
    };
    let entry = by(Action::InvitationCreate);
    let refused = f.store.insert_invitation(invitation, entry).await;
    assert!(matches!(refused, Err(StorageError::SessionOver)));
    let after = (f.accounts(AccountPage::default()).await, f.audited().await);
    assert_eq!(after, before);
    let found = f.store.lookup_password_reset(over.token_hash).await;
    assert_eq!(found.expect("answers"), None);
}

pub async fn links_end_with_the_rights_of_who_made_them(f: Fixture) {
    let admin = f.account("admin@example.com").await;
    let ada = f.account("ada@example.com").await;
    let suspend = async |id| {
        let entry = Fixture::entry(Action::AccountSuspend);
        assert!(f.store.suspend_account(id, entry).await.expect("answers"));
    };
    let set_role = async |id| {
        let entry = Fixture::entry(Action::AccountSetRole);
        let set = f.store.set_role(id, Role::Member, entry).await;
        assert!(set.expect("answers"));
    };
    for round in 0..4 {
        let invitation = Invitation {
            token_hash: Token::generate(&OsRandom).hash(),
            kind: InvitationKind::Invite,
            created_by: Some(admin),
            created_at: NOW,
            expires_at: at(1_000),
        };
        let entry = Fixture::entry(Action::InvitationCreate);
        let kept = f.store.insert_invitation(invitation.clone(), entry).await;
        kept.expect("answers");
        let reset = PasswordReset {
            token_hash: Token::generate(&OsRandom).hash(),
            account_id: ada,
            created_by: Some(admin),
            created_at: NOW,
            expires_at: at(1_000),
        };
        let entry = Fixture::entry(Action::PasswordResetCreate);
        let kept = f.store.insert_password_reset(reset.clone(), entry).await;
        assert!(kept.expect("answers"));
        match round {
            0 => suspend(admin).await,
            1 => set_role(admin).await,
            2 => suspend(ada).await,
            _ => set_role(ada).await,
        }
        let found = f.store.lookup_password_reset(reset.token_hash).await;
        assert_eq!(found.expect("answers"), None, "{round}");
        assert!(!self::reset(&f, reset.token_hash).await, "{round}");
        let found = f.store.lookup_invitation(invitation.token_hash).await;
        let is_there = found.expect("answers").is_some();
        assert_eq!(is_there, round > 1, "only the maker's rights count");
    }
    let late = reset_link(&f, ada, 1_000).await.expect("kept");
    assert!(!reset(&f, late).await, "ada is suspended");
}
