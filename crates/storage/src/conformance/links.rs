//! One-time links.

use std::sync::Arc;

use keygate_core::{AccountId, EmailAddress, LinkId, OsRandom, Role, Token, TokenHash};

use super::fixture::{ExpectMade, Fixture, NOW, PASSWORD_HASH, at};
use crate::{
    AccountPage, Action, Admission, BeginSession, ChangeAccount, InsertAccount, Invitation,
    InvitationKind, Link, LinkKind, LinkPage, MAX_SETUP_LINKS, NewPassword, PasswordReset, Session,
    SessionOver,
};

/// An invitation that ends after so many milliseconds.
fn new_invitation(kind: InvitationKind, millis: i64) -> Invitation {
    Invitation {
        id: LinkId::generate(NOW, &OsRandom),
        token_hash: Token::generate(&OsRandom).hash(),
        kind,
        email: None,
        created_by: None,
        session_id: None,
        created_at: NOW,
        expires_at: at(millis),
    }
}

async fn keep(f: &Fixture, invitation: &Invitation) -> bool {
    let entry = Fixture::entry(Action::InvitationCreate);
    let kept = f.store.insert_invitation(invitation.clone(), entry).await;
    kept.made()
}

/// The token of an invitation that ends after so many milliseconds.
async fn kept(f: &Fixture, kind: InvitationKind, millis: i64) -> TokenHash {
    let invitation = new_invitation(kind, millis);
    assert!(keep(f, &invitation).await);
    let found = f.store.lookup_invitation(invitation.token_hash).await;
    assert_eq!(found.expect("answers"), Some(invitation.clone()));
    invitation.token_hash
}

/// An invitation of the operator's.
pub(super) async fn invite(f: &Fixture) -> Invitation {
    let invitation = new_invitation(InvitationKind::Invite, 1_000);
    assert!(keep(f, &invitation).await);
    invitation
}

async fn list(f: &Fixture, before: Option<LinkId>, limit: u32) -> Vec<Link> {
    let listed = f.store.list_links(LinkPage { before, limit }, NOW).await;
    listed.expect("the store answers")
}

pub(super) async fn is_listed(f: &Fixture, id: LinkId) -> bool {
    list(f, None, 1_000).await.iter().any(|link| link.id == id)
}

async fn admit(f: &Fixture, email: &str, token_hash: TokenHash) -> InsertAccount {
    let admission = Admission::Invitation(token_hash);
    f.insert(Fixture::new_account(email), admission).await
}

/// A link for a password, by an account or one of its sessions, or by the operator.
fn new_reset(account_id: AccountId, millis: i64) -> PasswordReset {
    PasswordReset {
        id: LinkId::generate(NOW, &OsRandom),
        token_hash: Token::generate(&OsRandom).hash(),
        account_id,
        created_by: None,
        session_id: None,
        created_at: NOW,
        expires_at: at(millis),
    }
}

async fn keep_reset(f: &Fixture, reset: &PasswordReset) -> bool {
    let entry = Fixture::entry(Action::PasswordResetCreate);
    let kept = f.store.insert_password_reset(reset.clone(), entry).await;
    kept.made()
}

/// The token of a link for this account's password.
async fn reset_link(f: &Fixture, account_id: AccountId, millis: i64) -> TokenHash {
    let reset = new_reset(account_id, millis);
    assert!(keep_reset(f, &reset).await);
    let found = f.store.lookup_password_reset(reset.token_hash).await;
    let (found, account) = found.expect("answers").expect("it is there");
    assert_eq!((&found, account.id), (&reset, account_id));
    reset.token_hash
}

pub async fn an_invitation_works_once(f: Fixture) {
    f.account("ada@example.com").await;
    let token = kept(&f, InvitationKind::Invite, 1).await;
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

pub async fn an_invitation_for_an_address_ends_once_that_has_an_account(f: Fixture) {
    f.account("admin@example.com").await;
    let for_address = |email: &str| Invitation {
        email: Some(EmailAddress::parse(email).expect("an address")),
        ..new_invitation(InvitationKind::Invite, 1_000)
    };
    let (hers, his) = (
        for_address("ada@example.com"),
        for_address("bob@example.com"),
    );
    for invitation in [&hers, &his] {
        assert!(keep(&f, invitation).await);
    }
    f.account("ada@example.com").await;
    assert!(!is_listed(&f, hers.id).await);
    assert!(is_listed(&f, his.id).await);
}

pub async fn an_expired_invitation_does_not_work(f: Fixture) {
    let token = kept(&f, InvitationKind::Invite, 0).await;
    assert_eq!(
        admit(&f, "eve@example.com", token).await,
        InsertAccount::InvitationInvalid
    );
}

pub async fn a_set_up_link_works_only_while_there_is_no_account(f: Fixture) {
    let token = kept(&f, InvitationKind::Setup, 1_000).await;
    f.account("ada@example.com").await;
    assert_eq!(
        admit(&f, "eve@example.com", token).await,
        InsertAccount::InvitationInvalid
    );
}

pub async fn set_up_links_work_beside_each_other_until_one_is_used(f: Fixture) {
    let mut links = Vec::new();
    for number in 0..=i64::from(MAX_SETUP_LINKS) {
        let setup = Invitation {
            created_at: at(number),
            ..new_invitation(InvitationKind::Setup, 1_000)
        };
        assert!(keep(&f, &setup).await);
        links.push(setup);
    }
    let is_kept = async |link: &Invitation| {
        let found = f.store.lookup_invitation(link.token_hash).await;
        found.expect("answers").is_some()
    };
    assert!(!is_kept(&links[0]).await, "there is room for so many");
    for link in &links[1..] {
        assert!(is_kept(link).await);
    }
    let made = admit(&f, "ada@example.com", links[1].token_hash).await;
    assert_eq!(made, InsertAccount::Inserted);
    for link in &links {
        assert!(!is_kept(link).await, "there is an account");
    }
    let late = new_invitation(InvitationKind::Setup, 1_000);
    assert!(!keep(&f, &late).await, "there is an account");
    assert!(!is_kept(&late).await);
}

pub async fn set_up_links_that_are_over_make_room(f: Fixture) {
    let over = kept(&f, InvitationKind::Setup, 0).await;
    let live = kept(&f, InvitationKind::Setup, 1).await;
    kept(&f, InvitationKind::Setup, 1).await;
    let found = async |token| f.store.lookup_invitation(token).await.expect("answers");
    assert_eq!(found(over).await, None);
    assert!(found(live).await.is_some());
}

pub async fn of_two_who_follow_set_up_links_one_makes_the_first_account(f: Fixture) {
    let (one, other) = (
        kept(&f, InvitationKind::Setup, 1_000).await,
        kept(&f, InvitationKind::Setup, 1_000).await,
    );
    let made = tokio::join!(
        admit(&f, "ada@example.com", one),
        admit(&f, "bob@example.com", other)
    );
    let made = [made.0, made.1];
    assert!(made.contains(&InsertAccount::Inserted), "{made:?}");
    assert!(made.contains(&InsertAccount::InvitationInvalid), "{made:?}");
}

pub async fn an_invitation_does_not_make_the_first_account(f: Fixture) {
    let token = invite(&f).await.token_hash;
    let first = admit(&f, "eve@example.com", token).await;
    assert_eq!(first, InsertAccount::NotSetUp);
    assert_eq!(f.accounts(AccountPage::default()).await, []);
    f.account("ada@example.com").await;
    let second = admit(&f, "eve@example.com", token).await;
    assert_eq!(second, InsertAccount::Inserted, "it was not used up");
}

pub async fn of_many_who_follow_one_invitation_one_makes_an_account(f: Fixture) {
    f.account("ada@example.com").await;
    let token = invite(&f).await.token_hash;
    let f = Arc::new(f);
    let follow = |number: u32| {
        let f = f.clone();
        tokio::spawn(async move { admit(&f, &format!("eve{number}@example.com"), token).await })
    };
    let follows: Vec<_> = (0..8).map(follow).collect();
    let mut made = 0;
    for follow in follows {
        made += usize::from(follow.await.expect("no panic") == InsertAccount::Inserted);
    }
    assert_eq!(made, 1);
}

async fn reset(f: &Fixture, token_hash: TokenHash) -> bool {
    let entry = Fixture::entry(Action::AccountSetPassword);
    let new = Fixture::new_password("new");
    let done = f.store.reset_password(token_hash, new, entry);
    done.await.made()
}

pub async fn a_link_resets_a_password_once(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let bob = f.account("bob@example.com").await;
    let (session, bobs) = (f.session(ada).await, f.session(bob).await);
    let replaced = reset_link(&f, ada, 1_000).await;
    let link = reset_link(&f, ada, 1_000).await;
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
    let expired = reset_link(&f, ada, 0).await;
    assert!(!reset(&f, expired).await);
    let link = reset_link(&f, ada, 1_000).await;
    f.set_password(ada, PASSWORD_HASH).await;
    assert!(!reset(&f, link).await, "the password changed in between");
}

pub async fn of_two_who_follow_one_link_one_sets_the_password(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    for _ in 0..10 {
        let link = reset_link(&f, ada, 1_000).await;
        let before = f.audited().await.len();
        let (one, other) = tokio::join!(reset(&f, link), reset(&f, link));
        assert!(one != other, "one of them");
        assert_eq!(f.audited().await.len(), before + 1);
    }
}

pub async fn a_reset_password_and_its_session_are_one_change(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let link = reset_link(&f, ada, 1_000).await;
    let follow = async |session: &Session| {
        let new = NewPassword {
            hash: "new".into(),
            session: Some(BeginSession {
                session: session.clone(),
                audit: Fixture::entry(Action::SessionCreate),
            }),
        };
        let entry = Fixture::entry(Action::AccountSetPassword);
        f.store.reset_password(link, new, entry).await
    };
    let (first, second) = (Fixture::new_session(ada), Fixture::new_session(ada));
    assert!(follow(&first).await.made());
    assert!(!follow(&second).await.made());
    assert!(f.session_exists(&first).await);
    assert!(!f.session_exists(&second).await);
    let both = [Action::SessionCreate, Action::AccountSetPassword];
    assert_eq!(f.audited().await[..2], both);
}

/// An admin with a session, and somebody else.
async fn admin_and_ada(f: &Fixture) -> (AccountId, Session, AccountId) {
    let admin = f.account("admin@example.com").await;
    let session = f.session(admin).await;
    (admin, session, f.account("ada@example.com").await)
}

/// An invitation and a link for somebody's password, which a session made.
async fn links_of(f: &Fixture, session: &Session, whose: AccountId) -> (Invitation, PasswordReset) {
    let invitation = Invitation {
        created_by: Some(session.account_id),
        session_id: Some(session.id),
        ..new_invitation(InvitationKind::Invite, 1_000)
    };
    let entry = Fixture::entry_by(session, Action::InvitationCreate);
    let kept = f.store.insert_invitation(invitation.clone(), entry).await;
    assert!(kept.made());
    let reset = PasswordReset {
        created_by: Some(session.account_id),
        session_id: Some(session.id),
        ..new_reset(whose, 1_000)
    };
    let entry = Fixture::entry_by(session, Action::PasswordResetCreate);
    let kept = f.store.insert_password_reset(reset.clone(), entry).await;
    assert!(kept.made());
    (invitation, reset)
}

/// Which of the two still work, by looking, by listing and by use.
async fn live(f: &Fixture, (invitation, reset): &(Invitation, PasswordReset)) -> (bool, bool) {
    let found = f.store.lookup_invitation(invitation.token_hash).await;
    let invites = found.expect("answers").is_some();
    assert_eq!(is_listed(f, invitation.id).await, invites);
    let email = format!("{}@example.com", invitation.id);
    let made = admit(f, &email, invitation.token_hash).await;
    assert_eq!(made == InsertAccount::Inserted, invites);
    let found = f.store.lookup_password_reset(reset.token_hash).await;
    let resets = found.expect("answers").is_some();
    assert_eq!(is_listed(f, reset.id).await, resets);
    assert_eq!(self::reset(f, reset.token_hash).await, resets);
    (invites, resets)
}

pub async fn links_end_with_the_rights_of_who_made_them(f: Fixture) {
    let (admin, _, ada) = admin_and_ada(&f).await;
    let resume = async |id| {
        let entry = Fixture::entry(Action::AccountResume);
        assert!(f.store.resume_account(id, entry).await.made());
    };
    let suspend = async |id| {
        f.suspend(id).await;
        resume(id).await;
    };
    let set_role = async |id| {
        let entry = Fixture::entry(Action::AccountSetRole);
        let set = f.store.set_role(id, Role::Member, entry).await;
        assert_eq!(set.made(), ChangeAccount::Changed);
    };
    for round in 0..7 {
        f.set_password(admin, PASSWORD_HASH).await;
        let session = f.session(admin).await;
        let links = links_of(&f, &session, ada).await;
        match round {
            0 => suspend(admin).await,
            1 => set_role(admin).await,
            2 => f.set_password(admin, "replaced").await,
            3 => {
                let link = reset_link(&f, admin, 1_000).await;
                assert!(reset(&f, link).await, "the admin's own password");
            }
            4 => suspend(ada).await,
            5 => set_role(ada).await,
            _ => f.set_password(ada, "replaced").await,
        }
        let expected = (round > 3, false);
        assert_eq!(live(&f, &links).await, expected, "{round}");
    }
    f.suspend(ada).await;
    let late = reset_link(&f, ada, 1_000).await;
    assert!(!reset(&f, late).await, "ada is suspended");
}

pub async fn links_end_with_the_session_that_made_them_if_another_ends_it(f: Fixture) {
    let (admin, own, ada) = admin_and_ada(&f).await;
    let bob = f.account("bob@example.com").await;
    let end = async |by: &Session, ended: &Session| {
        let entry = Fixture::entry_by(by, Action::SessionDelete);
        let ended = f.store.delete_session(admin, ended.id, entry).await;
        assert!(ended.made());
    };
    let stolen = f.session(admin).await;
    let (of_stolen, of_own) = (
        links_of(&f, &stolen, ada).await,
        links_of(&f, &own, bob).await,
    );
    end(&own, &stolen).await;
    assert_eq!(live(&f, &of_stolen).await, (false, false));
    assert_eq!(live(&f, &of_own).await, (true, true), "another session's");

    let signs_out = f.session(admin).await;
    let stay = links_of(&f, &signs_out, ada).await;
    end(&signs_out, &signs_out).await;
    assert!(
        is_listed(&f, stay.0.id).await,
        "who signs out withdraws nothing"
    );
    let of_own = links_of(&f, &own, bob).await;
    let entry = Fixture::entry_by(&own, Action::SessionDeleteOthers);
    let ended = f.store.delete_other_sessions(admin, own.id, entry).await;
    ended.made();
    assert_eq!(live(&f, &stay).await, (false, false));
    assert_eq!(live(&f, &of_own).await, (true, true));
}

pub async fn no_link_is_left_by_a_session_that_ends_meanwhile(f: Fixture) {
    let (admin, own, ada) = admin_and_ada(&f).await;
    for round in 0..20 {
        let stolen = f.session(admin).await;
        let invitation = Invitation {
            created_by: Some(admin),
            session_id: Some(stolen.id),
            ..new_invitation(InvitationKind::Invite, 1_000)
        };
        let reset = PasswordReset {
            created_by: Some(admin),
            session_id: Some(stolen.id),
            ..new_reset(ada, 1_000)
        };
        let by = |session: &Session, action| Fixture::entry_by(session, action);
        let inviting = f
            .store
            .insert_invitation(invitation.clone(), by(&stolen, Action::InvitationCreate));
        let making_reset = f
            .store
            .insert_password_reset(reset.clone(), by(&stolen, Action::PasswordResetCreate));
        let end = async {
            if round % 2 == 0 {
                let entry = by(&own, Action::SessionDeleteOthers);
                let ended = f.store.delete_other_sessions(admin, own.id, entry).await;
                ended.made();
            } else {
                let entry = by(&own, Action::SessionDelete);
                let ended = f.store.delete_session(admin, stolen.id, entry).await;
                assert!(ended.made());
            }
        };
        let (invited, reset_made, ()) = tokio::join!(inviting, making_reset, end);
        for done in [invited, reset_made] {
            assert!(matches!(done, Ok(Ok(true) | Err(SessionOver))), "{done:?}");
        }
        assert_eq!(list(&f, None, 1_000).await, [], "{round}");
    }
}

pub async fn links_are_listed_newest_first_and_paged(f: Fixture) {
    let (_, session, ada) = admin_and_ada(&f).await;
    let email = |name: &str| Some(Fixture::new_account(name).email);
    kept(&f, InvitationKind::Invite, 0).await;
    let (invitation, reset) = links_of(&f, &session, ada).await;
    let by_operator = Invitation {
        email: email("grace@example.com"),
        ..new_invitation(InvitationKind::Invite, 1_000)
    };
    assert!(keep(&f, &by_operator).await);
    let found = f.store.lookup_invitation(by_operator.token_hash).await;
    assert_eq!(found.expect("answers"), Some(by_operator.clone()));
    let mut expected = [
        Link {
            id: invitation.id,
            kind: LinkKind::Invitation,
            account_id: None,
            account: None,
            created_by: email("admin@example.com"),
            created_at: NOW,
            expires_at: at(1_000),
        },
        Link {
            id: reset.id,
            kind: LinkKind::PasswordReset,
            account_id: Some(ada),
            account: email("ada@example.com"),
            created_by: email("admin@example.com"),
            created_at: NOW,
            expires_at: at(1_000),
        },
        Link {
            id: by_operator.id,
            kind: LinkKind::Invitation,
            account_id: None,
            account: by_operator.email,
            created_by: None,
            created_at: NOW,
            expires_at: at(1_000),
        },
    ];
    expected.sort_by_key(|link| std::cmp::Reverse(link.id));
    assert_eq!(list(&f, None, 10).await, expected, "but not what is over");
    assert_eq!(list(&f, None, 2).await, expected[..2]);
    let after = Some(expected[1].id);
    assert_eq!(list(&f, after, 2).await, expected[2..]);
    assert_eq!(list(&f, Some(expected[2].id), 2).await, []);
    for link in expected {
        let found = f.store.lookup_link(link.id).await.expect("answers");
        assert_eq!(found, Some(link));
    }
    let found = f.store.lookup_account_summary(ada, NOW).await;
    let found = found.expect("answers").expect("it is there");
    assert_eq!(found.reset_ends_at, Some(at(1_000)));
    let found = f.store.lookup_account_summary(ada, at(1_000)).await;
    let found = found.expect("answers").expect("it is there");
    assert_eq!(found.reset_ends_at, None, "it is over by then");
}

pub async fn a_withdrawn_link_works_no_more(f: Fixture) {
    let (_, session, ada) = admin_and_ada(&f).await;
    let withdraw = async |id, action| {
        let entry = Fixture::entry_by(&session, action);
        f.store.delete_link(id, entry).await.made()
    };
    let (one, other) = (invite(&f).await, invite(&f).await);
    let links = links_of(&f, &session, ada).await;
    let before = f.audited().await.len();
    for (id, action) in [
        (links.0.id, Action::InvitationWithdraw),
        (links.1.id, Action::PasswordResetWithdraw),
        (one.id, Action::InvitationWithdraw),
    ] {
        assert!(withdraw(id, action).await);
        assert!(!withdraw(id, action).await, "there is none any more");
        assert_eq!(f.audited().await[0], action);
        assert_eq!(f.store.lookup_link(id).await.expect("answers"), None);
    }
    assert_eq!(f.audited().await.len(), before + 3);
    assert_eq!(live(&f, &links).await, (false, false));
    assert!(is_listed(&f, other.id).await, "another one");
}

pub async fn of_a_link_that_is_used_and_withdrawn_one_holds(f: Fixture) {
    let (_, session, ada) = admin_and_ada(&f).await;
    for _ in 0..20 {
        let session = f.session(session.account_id).await;
        let (invitation, made) = links_of(&f, &session, ada).await;
        let before = f.audited().await.len();
        let withdraw = async |id| {
            let entry = Fixture::entry_by(&session, Action::PasswordResetWithdraw);
            f.store.delete_link(id, entry).await.made()
        };
        let email = format!("{}@example.com", invitation.id);
        let (reset, withdrawn, admitted, uninvited) = tokio::join!(
            reset(&f, made.token_hash),
            withdraw(made.id),
            admit(&f, &email, invitation.token_hash),
            withdraw(invitation.id)
        );
        assert!(reset != withdrawn, "used or withdrawn, and not both");
        assert!((admitted == InsertAccount::Inserted) != uninvited);
        assert_eq!(f.audited().await.len(), before + 2);
    }
}

pub async fn an_unknown_account_gets_no_link(f: Fixture) {
    let stranger = Fixture::new_account("eve@example.com").id;
    let reset = new_reset(stranger, 1_000);
    assert!(!keep_reset(&f, &reset).await);
    assert!(!is_listed(&f, reset.id).await);
    assert_eq!(f.audited().await, []);
}
