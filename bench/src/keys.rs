//! Keys for the load, straight into a database: issuing ten million over HTTP would take hours.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    time::Duration,
};

use keygate_core::{
    AccountId, Clock, EmailAddress, KeyId, OsRandom, Role, SeededRandom, SessionId, SystemClock,
    Timestamp, Token,
    key::{KeyFormat, KeyHash, KeyHasher},
};
use keygate_storage::{
    AccountStore, Action, Actor, Admission, AuditEntry, InsertAccount, NewAccount, Session,
    SessionOrigin, SessionStore, Store,
};
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
    let store = keygate_storage_sqlite::open(&path)?;
    let account_id = insert_account(&store, 0).await?;
    store.close().await;
    drop(store);
    let mut hashes = draw(count, shown, keys)?;
    // Both of the table's trees grow at their ends when hashes and ids ascend together.
    hashes.sort_unstable();
    insert(&path, account_id, &hashes)
}

const PASSWORD_HASH: &str = "none";

async fn insert_account(store: &SqliteStore, number: usize) -> Result<AccountId, Failure> {
    let now = SystemClock.now();
    let email = format!("bench{number}@example.com");
    let account = NewAccount {
        id: AccountId::generate(now, &OsRandom),
        email: EmailAddress::parse(&email).expect("an address"),
        password_hash: PASSWORD_HASH.into(),
        role: Role::Member,
        created_at: now,
    };
    let id = account.id;
    let audit = audit(Action::AccountCreate);
    let inserted = store.insert_account(account, Admission::Free, None, audit);
    assert_eq!(inserted.await?, Ok(InsertAccount::Inserted));
    Ok(id)
}

fn audit(action: Action) -> AuditEntry {
    AuditEntry {
        at: SystemClock.now(),
        actor: Actor::Operator,
        action,
        account_id: None,
        subject_id: None,
        detail: None,
    }
}

/// Makes accounts that are signed in, in the database in `folder`; writes their cookies to
/// `cookies`, a line each.
pub(crate) async fn sign_in(folder: &Path, accounts: usize, cookies: &Path) -> Result<(), Failure> {
    let store = keygate_storage_sqlite::open(&folder.join("keygate.db"))?;
    let mut file = BufWriter::new(File::create(cookies)?);
    let now = SystemClock.now();
    let ends_at = now.plus(Duration::from_hours(24));
    for number in 1..=accounts {
        let token = Token::generate(&OsRandom);
        let session = Session {
            id: SessionId::generate(now, &OsRandom),
            account_id: insert_account(&store, number).await?,
            token_hash: token.hash(),
            created_at: now,
            last_seen_at: now,
            idle_ends_at: ends_at,
            ends_at,
            origin: SessionOrigin::default(),
        };
        let audit = audit(Action::SessionCreate);
        let inserted = store.insert_session(session, PASSWORD_HASH.into(), audit);
        assert_eq!(inserted.await?, Ok(true));
        writeln!(file, "keygate_session={}", token.expose())?;
    }
    file.flush()?;
    store.close().await;
    Ok(())
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
