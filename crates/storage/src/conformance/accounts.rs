//! Accounts and invitations.

use keygate_core::{OsRandom, Token, TokenHash};

use super::fixture::{Fixture, NOW, at};
use crate::{Action, Admission, InsertAccount, Invitation, InvitationKind};

async fn invite(f: &Fixture, kind: InvitationKind, expires_in_millis: i64) -> TokenHash {
    let token_hash = Token::generate(&OsRandom).hash();
    let invitation = Invitation {
        token_hash,
        kind,
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
    assert_eq!(f.store.list_accounts().await.expect("answers").len(), 1);
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
    let accounts = f.store.list_accounts().await.expect("answers");
    assert_eq!(accounts[0].suspended_at, Some(NOW));
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
    assert_eq!(f.audited().await, []);
}
