use std::sync::Arc;

use keygate_core::{
    AccountId, ApiKey, EmailAddress, KeyDetails, KeyId, OsRandom, RecorderId, Role, SessionId,
    Timestamp, Token,
    key::{KeyFormat, KeyHash, KeyHasher, KeyName},
};

use crate::{
    AccountPage, AccountSummary, Action, Actor, Admission, AuditEntry, AuditPage, ChangeAccount,
    InsertAccount, InsertKey, KeyChanges, KeyLimits, KeyPage, KeyStatus, KeyUse, Made, NewAccount,
    NewKey, NewPassword, Session, SessionOrigin, SetPassword, StorageError, Store, UpdateKey,
    UsageFlush,
};

/// The time at which the suite takes place.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_781_078_400_000);

/// A moment some milliseconds from [`NOW`].
pub(super) const fn at(offset_millis: i64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() + offset_millis)
}

/// The password's hash of every new account.
pub const PASSWORD_HASH: &str = "a PHC string";

/// Of keys, as many as a test makes.
pub const UNLIMITED: KeyLimits = KeyLimits {
    active: 10_000,
    total: 10_000,
};

/// What became of a change whose maker's session is not over.
pub trait ExpectMade<T> {
    /// Panics where it was not made for want of a session, or of the store.
    fn made(self) -> T;
}

impl<T> ExpectMade<T> for Result<Made<T>, StorageError> {
    #[track_caller]
    fn made(self) -> T {
        self.expect("the store answers").expect("a live session")
    }
}

/// An empty store, and short words for what the suite does with it.
pub struct Fixture {
    /// The store under test.
    pub store: Arc<dyn Store>,
    /// Who counts uses.
    pub recorder: RecorderId,
}

impl Fixture {
    /// The suite's view of an empty store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            recorder: RecorderId::generate(NOW, &OsRandom),
        }
    }

    pub fn entry(action: Action) -> AuditEntry {
        AuditEntry {
            at: NOW,
            actor: Actor::Operator,
            action,
            account_id: None,
            subject_id: None,
            detail: None,
        }
    }

    pub fn new_account(email: &str) -> NewAccount {
        NewAccount {
            id: AccountId::generate(NOW, &OsRandom),
            email: EmailAddress::parse(email).expect("an address"),
            password_hash: PASSWORD_HASH.into(),
            role: Role::Member,
            created_at: NOW,
        }
    }

    pub async fn insert(&self, account: NewAccount, admission: Admission) -> InsertAccount {
        let entry = Self::entry(Action::AccountCreate);
        self.store
            .insert_account(account, admission, None, entry)
            .await
            .made()
    }

    /// Asks for another role in the operator's name.
    pub async fn set_role(&self, account_id: AccountId, role: Role) -> ChangeAccount {
        let entry = Self::entry(Action::AccountSetRole);
        let set = self.store.set_role(account_id, role, entry).await;
        set.made()
    }

    pub async fn make_admin(&self, account_id: AccountId) {
        let made = self.set_role(account_id, Role::Admin).await;
        assert_eq!(made, ChangeAccount::Changed);
    }

    /// Asks for an account to be suspended in the operator's name.
    pub async fn try_suspend(&self, account_id: AccountId) -> ChangeAccount {
        let entry = Self::entry(Action::AccountSuspend);
        let suspended = self.store.suspend_account(account_id, entry).await;
        suspended.made()
    }

    pub async fn suspend(&self, account_id: AccountId) {
        assert_eq!(self.try_suspend(account_id).await, ChangeAccount::Changed);
    }

    /// Replaces an account's password, whatever it is.
    pub async fn set_password(&self, account_id: AccountId, hash: &str) {
        let entry = Self::entry(Action::AccountSetPassword);
        let new = Self::new_password(hash);
        let set = self.store.set_password(account_id, None, new, entry).await;
        assert_eq!(set.made(), SetPassword::Set);
    }

    /// A password without a session that begins with it.
    pub fn new_password(hash: &str) -> NewPassword {
        NewPassword {
            hash: hash.into(),
            session: None,
        }
    }

    /// What an account does by this session.
    pub fn entry_by(session: &Session, action: Action) -> AuditEntry {
        AuditEntry {
            actor: Actor::Session(session.account_id, session.id),
            ..Self::entry(action)
        }
    }

    pub async fn account(&self, email: &str) -> AccountId {
        let account = Self::new_account(email);
        let id = account.id;
        assert_eq!(
            self.insert(account, Admission::Free).await,
            InsertAccount::Inserted
        );
        id
    }

    pub fn new_session(account_id: AccountId) -> Session {
        Session {
            id: SessionId::generate(NOW, &OsRandom),
            account_id,
            token_hash: Token::generate(&OsRandom).hash(),
            created_at: NOW,
            last_seen_at: NOW,
            idle_ends_at: at(1_000),
            ends_at: at(10_000),
            origin: SessionOrigin::default(),
        }
    }

    pub async fn insert_session(&self, session: &Session, password_hash: &str) -> bool {
        let entry = Self::entry(Action::SessionCreate);
        self.store
            .insert_session(session.clone(), password_hash.into(), entry)
            .await
            .made()
    }

    pub async fn session(&self, account_id: AccountId) -> Session {
        let session = Self::new_session(account_id);
        assert!(self.insert_session(&session, PASSWORD_HASH).await);
        session
    }

    pub async fn session_exists(&self, session: &Session) -> bool {
        self.store
            .lookup_session(session.token_hash)
            .await
            .expect("the store answers")
            .is_some()
    }

    /// A key named `name`, issued `offset_millis` after [`NOW`].
    pub fn new_key(account_id: AccountId, name: &str, offset_millis: i64) -> NewKey {
        let format = KeyFormat::default();
        let secret = format.generate(&OsRandom);
        NewKey {
            key: ApiKey {
                id: KeyId::generate(at(offset_millis), &OsRandom),
                account_id,
                details: KeyDetails::named(KeyName::parse(name).expect("a name")),
                key_prefix: format.shown_prefix(&secret),
                last_used_at: None,
                request_count: 0,
                is_active: true,
                created_at: at(offset_millis),
            },
            hash: KeyHasher::default().hash(secret.expose()),
            form: None,
        }
    }

    pub async fn insert_key(&self, key: NewKey, max_active: u32) -> InsertKey {
        let limits = KeyLimits {
            active: max_active,
            ..UNLIMITED
        };
        self.insert_within(key, limits).await
    }

    pub async fn insert_within(&self, key: NewKey, limits: KeyLimits) -> InsertKey {
        self.store
            .insert_key(key, limits, Self::entry(Action::KeyIssue))
            .await
            .made()
    }

    pub async fn key(&self, account_id: AccountId, name: &str) -> (ApiKey, KeyHash) {
        let new = Self::new_key(account_id, name, 0);
        assert_eq!(self.insert_key(new.clone(), 100).await, InsertKey::Inserted);
        (new.key, new.hash)
    }

    pub async fn update(&self, key: &ApiKey, changes: KeyChanges, max_active: u32) -> UpdateKey {
        self.store
            .update_key(
                key.account_id,
                key.id,
                changes,
                max_active,
                Self::entry(Action::KeyUpdate),
            )
            .await
            .made()
    }

    pub async fn switch(&self, key: &ApiKey, on: bool, max_active: u32) -> UpdateKey {
        let changes = KeyChanges {
            is_active: Some(on),
            ..KeyChanges::default()
        };
        self.update(key, changes, max_active).await
    }

    pub async fn lookup_key(&self, key: &ApiKey) -> Option<ApiKey> {
        self.store
            .lookup_key(key.account_id, key.id)
            .await
            .expect("the store answers")
    }

    pub async fn list(&self, account_id: AccountId, status: KeyStatus) -> Vec<ApiKey> {
        let page = KeyPage {
            status,
            before: None,
            limit: 100,
        };
        self.store
            .list_keys(account_id, page, NOW)
            .await
            .expect("the store answers")
    }

    /// Records that keys were used, each at an offset from [`NOW`] and so many times.
    pub async fn flush(&self, recorder: RecorderId, number: u64, uses: &[(KeyId, i64, u64)]) {
        let uses = uses.iter().map(|&(key_id, offset, requests)| KeyUse {
            key_id,
            last_used_at: at(offset),
            requests,
        });
        let mut uses: Vec<KeyUse> = uses.collect();
        uses.sort_unstable_by_key(|one| one.key_id);
        let flush = UsageFlush {
            recorder,
            number,
            uses,
        };
        self.store
            .record_uses(Arc::new(flush))
            .await
            .expect("the store answers");
    }

    /// A part of all accounts; as many as there are where the page has no limit.
    pub async fn accounts(&self, mut page: AccountPage) -> Vec<AccountSummary> {
        if page.limit == 0 {
            page.limit = 1_000;
        }
        let accounts = self.store.list_accounts(page, NOW).await;
        accounts.expect("the store answers")
    }

    pub async fn audited(&self) -> Vec<Action> {
        let page = AuditPage {
            limit: 1_000,
            ..AuditPage::default()
        };
        let entries = self.store.list_audit_entries(page).await;
        let entries = entries.expect("the store answers");
        let parse = |found: &crate::RecordedEntry| Action::parse(&found.action).expect("an action");
        entries.iter().map(parse).collect()
    }
}
