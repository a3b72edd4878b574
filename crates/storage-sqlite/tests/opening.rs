//! What may and what may not be opened, and what a commit carries.

use std::path::Path;

use keygate_core::{AccountId, EmailAddress, OsRandom, Role, Timestamp};
use keygate_storage::{
    AccountPage, AccountStore, Action, Actor, Admission, AuditEntry, NewAccount, StorageError,
    Store,
};
use keygate_storage_sqlite::SqliteStore;
use rusqlite::Connection;
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_millis(1_781_078_400_000);

fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

fn refusal(path: &Path) -> StorageError {
    match SqliteStore::open(path) {
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
    let inserted = store.insert_account(account, Admission::Free, audit).await;
    inserted.map(|_| ())
}

#[tokio::test]
async fn what_was_written_is_there_after_closing() {
    let folder = folder();
    let path = folder.path().join("keygate.db");
    let store = SqliteStore::open(&path).expect("a new database opens");
    add_account(&store, "ada@example.com")
        .await
        .expect("answers");
    store.close().await;
    assert!(matches!(
        add_account(&store, "bob@example.com").await,
        Err(StorageError::Closed)
    ));
    drop(store);
    let store = SqliteStore::open(&path).expect("it opens again");
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
    let store = SqliteStore::open(&path).expect("a new database opens");
    assert!(matches!(refusal(&path), StorageError::InUse(_)));
    drop(store);
    SqliteStore::open(&path).expect("it is free again");
}

#[tokio::test]
async fn a_later_versions_database_is_refused_unchanged() {
    let folder = folder();
    let path = folder.path().join("keygate.db");
    let store = SqliteStore::open(&path).expect("a new database opens");
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
    let store = SqliteStore::open(&path).expect("a new database opens");
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
    let store = SqliteStore::open(&path).expect("a new database opens");
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
