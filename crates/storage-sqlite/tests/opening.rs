//! What may and what may not be opened, and what a commit carries.

use std::{os::unix::fs::MetadataExt, path::Path};

use keygate_core::{AccountId, EmailAddress, OsRandom, Role, Timestamp};
use keygate_storage::{
    AccountPage, AccountStore, Action, Actor, Admission, AuditEntry, NewAccount, StorageError,
    Store, tables::TableStore,
};
use keygate_storage_sqlite::{Opener, Restoration, SqliteStore};
use rusqlite::Connection;
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_millis(1_781_078_400_000);

fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

fn refusal(path: &Path) -> StorageError {
    match keygate_storage_sqlite::open(path) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

async fn add_account(store: &SqliteStore, email: &str) -> Result<(), StorageError> {
    let account = NewAccount {
        id: AccountId::generate(NOW, &OsRandom),
        email: EmailAddress::parse(email).expect("an address"),
        password_hash: "hash".into(),
        role: Role::Member,
        created_at: NOW,
    };
    let audit = AuditEntry {
        at: NOW,
        actor: Actor::Operator,
        action: Action::AccountCreate,
        account_id: Some(account.id),
        subject_id: None,
        detail: None,
    };
    let inserted = store
        .insert_account(account, Admission::Free, None, audit)
        .await;
    inserted.map(|_| ())
}

#[tokio::test]
async fn what_a_copy_was_not_finished_into_is_opened_to_finish_it_only() {
    let folder = folder();
    let path = folder.path().join("keygate.db");
    let target =
        keygate_storage_sqlite::open_for(Opener::Copy, &path).expect("a new database opens");
    target.mark_unfinished(true).await.expect("marked");
    target.close().await;
    drop(target);
    let refused = refusal(&path).to_string();
    assert!(
        refused.contains("a copy into it was broken off"),
        "{refused}"
    );
    let inspected = keygate_storage_sqlite::Inspection::of(&path);
    assert!(matches!(inspected, Err(StorageError::Unsuitable(_))));
    assert!(keygate_storage_sqlite::SqliteReader::open(&path).is_err());
    let target = keygate_storage_sqlite::open_for(Opener::Copy, &path).expect("a copy goes on");
    target.mark_unfinished(false).await.expect("the mark goes");
    target.close().await;
    drop(target);
    keygate_storage_sqlite::open(&path).expect("it is all there");
}

#[tokio::test]
async fn what_was_brought_here_is_said_by_the_next_server_once() {
    let folder = folder();
    let path = folder.path().join("keygate.db");
    let says = async |opener| {
        let store = keygate_storage_sqlite::open_for(opener, &path).expect("it opens");
        let concerns = store.concerns();
        store.close().await;
        concerns
            .iter()
            .any(|found| found.code == "database_restored")
    };
    assert!(!says(Opener::Server).await, "it is new");
    let copy = folder.path().join("copy.db");
    keygate_storage_sqlite::back_up(&path, &copy, false, &mut |_, _| {}).expect("written");
    std::fs::copy(&copy, &path).expect("copied");
    assert!(says(Opener::Command).await);
    assert!(says(Opener::Server).await);
    assert!(!says(Opener::Server).await);
    let restored = Restoration::prepare(&copy, &path, NOW).expect("it can be restored");
    restored.complete().expect("restored");
    assert!(says(Opener::Server).await);
    assert!(!says(Opener::Server).await);
}

#[tokio::test]
async fn what_a_command_of_root_notes_belongs_to_the_databases_owner() {
    let folder = folder();
    let path = folder.path().join("keygate.db");
    let open = || keygate_storage_sqlite::open_for(Opener::Command, &path).expect("it opens");
    open().close().await;
    // Whoever is not root has no other owner to give it to.
    let nobody = 65_534;
    let _ = std::os::unix::fs::chown(&path, Some(nobody), Some(nobody));
    open().close().await;
    let owner = |name: &str| {
        let found = folder.path().join(name).metadata().expect("it is there");
        (found.uid(), found.gid(), found.mode())
    };
    assert_eq!(owner("keygate.db-generation"), owner("keygate.db"));
}

#[tokio::test]
async fn what_was_written_is_there_after_closing() {
    let folder = folder();
    let path = folder.path().join("keygate.db");
    let store = keygate_storage_sqlite::open(&path).expect("a new database opens");
    add_account(&store, "ada@example.com")
        .await
        .expect("answers");
    store.close().await;
    assert!(matches!(
        add_account(&store, "bob@example.com").await,
        Err(StorageError::Closed)
    ));
    drop(store);
    let store = keygate_storage_sqlite::open(&path).expect("it opens again");
    assert_eq!(
        store
            .list_accounts(
                AccountPage {
                    limit: 10,
                    ..AccountPage::default()
                },
                Timestamp::from_millis(0)
            )
            .await
            .expect("answers")
            .len(),
        1
    );
}

#[tokio::test]
async fn a_database_is_opened_by_one_at_a_time() {
    let folder = folder();
    let path = folder.path().join("keygate.db");
    let store = keygate_storage_sqlite::open(&path).expect("a new database opens");
    assert!(matches!(refusal(&path), StorageError::InUse(_)));
    drop(store);
    keygate_storage_sqlite::open(&path).expect("it is free again");
}

#[tokio::test]
async fn a_later_versions_database_is_refused_unchanged() {
    let folder = folder();
    let path = folder.path().join("keygate.db");
    let store = keygate_storage_sqlite::open(&path).expect("a new database opens");
    store.close().await;
    drop(store);
    let raw = Connection::open(&path).expect("opens");
    raw.pragma_update(None, "user_version", 999)
        .expect("is set");
    drop(raw);
    let before = std::fs::read(&path).expect("readable");
    assert!(matches!(
        refusal(&path),
        StorageError::Newer { found: 999, .. }
    ));
    assert_eq!(std::fs::read(&path).expect("readable"), before);
}

#[test]
fn somebody_elses_file_is_refused_unchanged() {
    let folder = folder();
    let database = folder.path().join("other.db");
    let raw = Connection::open(&database).expect("opens");
    raw.execute_batch("CREATE TABLE t (a)").expect("is made");
    drop(raw);
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "not a database, but long enough to be looked at").expect("written");
    for path in [database, text] {
        let before = std::fs::read(&path).expect("readable");
        assert!(matches!(refusal(&path), StorageError::Foreign(_)));
        assert_eq!(std::fs::read(&path).expect("readable"), before);
    }
}

#[tokio::test]
async fn the_database_is_set_up_to_be_durable() {
    let folder = folder();
    let path = folder.path().join("keygate.db");
    let store = keygate_storage_sqlite::open(&path).expect("a new database opens");
    let raw = Connection::open(&path).expect("opens");
    let mode: String = raw
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .expect("answers");
    assert_eq!(mode, "wal");
    let loose: i64 = raw
        .query_row(
            "SELECT count(*) FROM pragma_table_list WHERE strict = 0 AND name NOT LIKE 'sqlite%'",
            [],
            |row| row.get(0),
        )
        .expect("answers");
    assert_eq!(loose, 0, "every table is STRICT");
    store.close().await;
}

#[tokio::test]
async fn a_write_whose_caller_went_away_is_whole() {
    let folder = folder();
    let path = folder.path().join("keygate.db");
    let store = keygate_storage_sqlite::open(&path).expect("a new database opens");
    for index in 0..20 {
        let email = format!("gone{index}@example.com");
        let mut write = Box::pin(add_account(&store, &email));
        std::future::poll_fn(|context| {
            let _ = write.as_mut().poll(context);
            std::task::Poll::Ready(())
        })
        .await;
    }
    store.close().await;
    let raw = Connection::open(&path).expect("opens");
    let counts: (i64, i64) = raw
        .query_row(
            "SELECT (SELECT count(*) FROM accounts), (SELECT count(*) FROM audit_entries)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("answers");
    assert_eq!(counts, (20, 20));
}

/// What a loss of power leaves of the log is some part of its beginning.
#[tokio::test]
async fn a_log_that_is_cut_anywhere_leaves_a_prefix_of_what_was_acknowledged() {
    const ACCOUNTS: usize = 10;
    let folder = folder();
    let path = folder.path().join("keygate.db");
    let store = keygate_storage_sqlite::open(&path).expect("a new database opens");
    for index in 0..ACCOUNTS {
        let email = format!("{index:02}@example.com");
        add_account(&store, &email).await.expect("answers");
    }
    let database = std::fs::read(&path).expect("readable");
    let log = std::fs::read(folder.path().join("keygate.db-wal")).expect("readable");
    store.close().await;
    let mut counts = Vec::new();
    // At each frame, and in the middle of each.
    for cut in (32..=log.len()).step_by(usize::midpoint(24, 4_096)) {
        let folder = self::folder();
        let path = folder.path().join("keygate.db");
        std::fs::write(&path, &database).expect("written");
        std::fs::write(folder.path().join("keygate.db-wal"), &log[..cut]).expect("written");
        let store = keygate_storage_sqlite::open(&path).expect("it opens");
        let page = AccountPage {
            limit: 100,
            ..AccountPage::default()
        };
        let accounts = store.list_accounts(page, NOW).await.expect("answers");
        let mut emails: Vec<_> = accounts
            .iter()
            .map(|found| found.account.email.as_str().to_owned())
            .collect();
        emails.sort();
        let prefix: Vec<_> = (0..emails.len())
            .map(|index| format!("{index:02}@example.com"))
            .collect();
        assert_eq!(emails, prefix, "cut at byte {cut}");
        counts.push(emails.len());
        store.close().await;
    }
    assert!(counts.is_sorted(), "{counts:?}");
    assert_eq!((counts[0], counts.last()), (0, Some(&ACCOUNTS)));
}
