//! The record of changes.

use super::fixture::{ExpectMade, Fixture, NOW, PASSWORD_HASH};
use crate::{Action, Actor, AuditEntry, AuditPage, RecordedActor, RecordedEntry, SetPassword};

async fn list(f: &Fixture, page: AuditPage) -> Vec<RecordedEntry> {
    let limit = if page.limit == 0 { 1_000 } else { page.limit };
    let listed = f.store.list_audit_entries(AuditPage { limit, ..page });
    listed.await.expect("the store answers")
}

fn actions(entries: &[RecordedEntry]) -> Vec<Action> {
    let parse = |found: &RecordedEntry| Action::parse(&found.action).expect("an action");
    entries.iter().map(parse).collect()
}

pub async fn entries_are_found_by_account_subject_and_action(f: Fixture) {
    let ada = f.account("ada@example.com").await;
    let bob = f.account("bob@example.com").await;
    let rename = async |account_id, subject: &str, action| {
        let entry = AuditEntry {
            at: NOW,
            actor: Actor::Account(account_id),
            action,
            account_id: Some(account_id),
            subject_id: Some(subject.into()),
            detail: Some(r#"{"name":"x"}"#.into()),
        };
        let new = Fixture::new_password(PASSWORD_HASH);
        let set = f.store.set_password(account_id, None, new, entry.clone());
        assert_eq!(set.await.made(), SetPassword::Set);
        entry
    };
    let first = rename(ada, "one", Action::KeyIssue).await;
    rename(ada, "two", Action::KeyIssue).await;
    rename(bob, "one", Action::KeyIssue).await;
    rename(ada, "one", Action::KeyRevoke).await;

    let of_ada = AuditPage {
        account_id: Some(ada),
        ..AuditPage::default()
    };
    let expected = [Action::KeyRevoke, Action::KeyIssue, Action::KeyIssue];
    assert_eq!(actions(&list(&f, of_ada.clone()).await), expected);
    let of_one = AuditPage {
        subject_id: Some("one".into()),
        ..of_ada.clone()
    };
    let found = list(&f, of_one.clone()).await;
    assert_eq!(actions(&found), [Action::KeyRevoke, Action::KeyIssue]);
    let ada = Fixture::new_account("ada@example.com").email;
    let expected = RecordedEntry {
        id: found[1].id,
        at: first.at,
        actor: RecordedActor::Account(ada.clone()),
        action: "key.issue".into(),
        account: Some(ada),
        subject_id: first.subject_id,
        detail: first.detail,
    };
    assert_eq!(found[1], expected);
    let issued = AuditPage {
        action: Some(Action::KeyIssue),
        ..AuditPage::default()
    };
    assert_eq!(list(&f, issued.clone()).await.len(), 3);
    let both = AuditPage {
        action: Some(Action::KeyIssue),
        ..of_one
    };
    assert_eq!(list(&f, both).await.len(), 1);
    let subject_of_all = AuditPage {
        subject_id: Some("one".into()),
        ..AuditPage::default()
    };
    assert_eq!(list(&f, subject_of_all).await.len(), 3);
}

pub async fn entries_are_listed_newest_first_and_paged(f: Fixture) {
    for number in 0..5 {
        f.account(&format!("ada{number}@example.com")).await;
    }
    let all = list(&f, AuditPage::default()).await;
    assert_eq!(all.len(), 5);
    assert!(all.is_sorted_by(|newer, older| newer.id > older.id));
    let mut paged: Vec<RecordedEntry> = Vec::new();
    for expected in [2, 2, 1, 0] {
        let page = AuditPage {
            before: paged.last().map(|found| found.id),
            limit: 2,
            ..AuditPage::default()
        };
        let part = list(&f, page).await;
        assert_eq!(part.len(), expected);
        paged.extend(part);
    }
    assert_eq!(paged, all);
}
