//! Keys for the load, straight into a database: issuing ten million over HTTP would take hours.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use keygate_core::{
    AccountId, EmailAddress, KeyId, OsRandom, SeededRandom, Timestamp,
    key::{KeyFormat, KeyHash, KeyHasher},
};
use keygate_storage::{AccountStore, Action, Actor, Admission, AuditEntry, NewAccount, Store};
use keygate_storage_sqlite::SqliteStore;

use crate::Failure;

/// How many keys are in rotation.
pub(crate) const HOT: usize = 10_000;

const INSERT: &str = "INSERT INTO api_keys \
    (id, account_id, hash, name, key_prefix, scopes, expires_at, is_active, created_at) \
    VALUES (?, ?, ?, 'bench', 'ask_0000', 3, ?, 1, ?)";

/// Fills the database in `folder` with `count` active keys, of which the first ones are written to
/// `keys`, a line each.
pub(crate) async fn seed(
    folder: &Path,
    count: usize,
    shown: usize,
    keys: &Path,
) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join("keygate.db");
    let store = SqliteStore::open(&path)?;
    let account_id = insert_account(&store).await?;
    store.close().await;
    drop(store);
    let mut hashes = draw(count, shown, keys)?;
    // Both of the table's trees grow at their ends when hashes and ids ascend together.
    hashes.sort_unstable();
    insert(&path, account_id, &hashes)
}

async fn insert_account(store: &SqliteStore) -> Result<AccountId, Failure> {
    let now = Timestamp::from_millis(0);
    let account = NewAccount {
        id: AccountId::generate(now, &OsRandom),
        email: EmailAddress::parse("bench@example.com").expect("an address"),
        password_hash: "none".into(),
        created_at: now,
    };
    let audit = AuditEntry {
        at: now,
        actor: Actor::Operator,
        action: Action::AccountCreate,
        account_id: None,
        subject_id: None,
        detail: None,
    };
    let id = account.id;
    store
        .insert_account(account, Admission::Free, audit)
        .await?;
    Ok(id)
}

fn draw(count: usize, shown: usize, keys: &Path) -> Result<Vec<KeyHash>, Failure> {
    let (format, hashing) = (KeyFormat::default(), KeyHasher::default());
    let random = SeededRandom::new(1);
    let mut file = BufWriter::new(File::create(keys)?);
    let mut hashes = Vec::with_capacity(count);
    for number in 0..count {
        let key = format.generate(&random);
        hashes.push(hashing.hash(key.expose()));
        if number < shown {
            writeln!(file, "{}", key.expose())?;
        }
    }
    file.flush()?;
    Ok(hashes)
}

fn insert(path: &Path, account_id: AccountId, hashes: &[KeyHash]) -> Result<(), Failure> {
    let mut db = rusqlite::Connection::open(path)?;
    db.pragma_update(None, "synchronous", "OFF")?;
    let far = Timestamp::parse_rfc3339("2100-01-01T00:00:00Z")
        .expect("a time")
        .as_millis();
    let transaction = db.transaction()?;
    {
        let mut statement = transaction.prepare(INSERT)?;
        for (number, hash) in hashes.iter().enumerate() {
            let at = Timestamp::from_millis(i64::try_from(number).expect("a small number"));
            let id = KeyId::generate(at, &OsRandom);
            let row = (
                id.as_bytes(),
                account_id.as_bytes(),
                hash.as_bytes(),
                far,
                at.as_millis(),
            );
            statement.execute(row)?;
        }
    }
    transaction.commit()?;
    Ok(())
}
