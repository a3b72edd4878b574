use keygate_core::{
    Account, AccountId, ComponentId, Credential, EmailAddress, Incident, IncidentId, IncidentKind,
    IncidentMessage, IncidentState, IncidentTitle, IncidentUpdate, KeyId, LinkId, ProberId, Role,
    Scopes, SessionId, Timestamp, TokenHash, UpdateId, key::KeyHash,
};

use keygate_storage::{
    AccountSummary, Invitation, InvitationKind, KeyRules, LatestProbe, Link, LinkKind,
    PasswordReset, ProbeClaim, RecordedActor, RecordedEntry, Rollup, Session, SessionOrigin,
    StorageError, StoredAccount, Tally,
};

/// The columns of an account, under names that stay apart in a join; what [`Columns::account`] reads.
macro_rules! account_columns {
    () => {
        "accounts.id AS account_id, accounts.email, accounts.role, accounts.suspended_at, \
         accounts.created_at AS account_created_at"
    };
}

/// The columns of a session and its account; what [`Columns::session`] reads.
macro_rules! session_columns {
    () => {
        concat!(
            account_columns!(),
            ", sessions.id AS session_id, token_hash, last_seen_at, idle_ends_at, ends_at, address, \
             user_agent, sessions.created_at AS session_created_at"
        )
    };
}

pub(crate) use {account_columns, session_columns};

/// A row, and how the domain's types stand in its columns, in every backend alike. A backend says how
/// a column is read; `None` is nothing.
pub trait Columns {
    /// A whole number.
    fn number(&self, name: &str) -> Result<Option<i64>, StorageError>;
    /// Text.
    fn text(&self, name: &str) -> Result<Option<String>, StorageError>;
    /// The bytes of an id.
    fn id(&self, name: &str) -> Result<Option<[u8; 16]>, StorageError>;
    /// The bytes of a hash.
    fn hash(&self, name: &str) -> Result<Option<[u8; 32]>, StorageError>;
    /// True or false.
    fn flag(&self, name: &str) -> Result<bool, StorageError>;

    /// Text that is there.
    fn some_text(&self, name: &str) -> Result<String, StorageError> {
        some(self.text(name)?)
    }

    /// A number that is not negative.
    fn count(&self, name: &str) -> Result<u64, StorageError> {
        let count = some(self.number(name)?)?;
        u64::try_from(count).map_err(|_| StorageError::Corrupt("count"))
    }

    /// A moment.
    fn timestamp(&self, name: &str) -> Result<Timestamp, StorageError> {
        some(self.optional_timestamp(name)?)
    }

    /// A moment, if there is one.
    fn optional_timestamp(&self, name: &str) -> Result<Option<Timestamp>, StorageError> {
        Ok(self.number(name)?.map(Timestamp::from_millis))
    }

    /// An account's id.
    fn account_id(&self, name: &str) -> Result<AccountId, StorageError> {
        some(self.optional_account_id(name)?)
    }

    /// An account's id, if there is one.
    fn optional_account_id(&self, name: &str) -> Result<Option<AccountId>, StorageError> {
        Ok(self.id(name)?.map(AccountId::from_bytes))
    }

    /// A key's id.
    fn key_id(&self, name: &str) -> Result<KeyId, StorageError> {
        some(self.id(name)?).map(KeyId::from_bytes)
    }

    /// The hash of a key.
    fn key_hash(&self, name: &str) -> Result<KeyHash, StorageError> {
        some(self.hash(name)?).map(KeyHash::from_bytes)
    }

    /// The hash of a token.
    fn token_hash(&self) -> Result<TokenHash, StorageError> {
        some(self.hash("token_hash")?).map(TokenHash::from_bytes)
    }

    /// A set of scopes.
    fn scopes(&self) -> Result<Scopes, StorageError> {
        let bits = self
            .number("scopes")?
            .and_then(|bits| u8::try_from(bits).ok());
        let scopes = bits.and_then(Scopes::from_bits);
        scopes.ok_or(StorageError::Corrupt("set of scopes"))
    }

    /// By which rules keys are issued.
    fn key_rules(&self) -> Result<KeyRules, StorageError> {
        let limit = |name| {
            let limit = self.number(name)?.map(u32::try_from).transpose();
            limit.map_err(|_| StorageError::Corrupt("limit"))
        };
        Ok(KeyRules {
            prefix: self.text("key_prefix")?,
            max_active: limit("max_active")?,
            max_total: limit("max_total")?,
        })
    }

    /// What deciding about a key needs, its account joined to it.
    fn credential(&self) -> Result<Credential, StorageError> {
        Ok(Credential {
            key_id: self.key_id("id")?,
            account_id: self.account_id("account_id")?,
            scopes: self.scopes()?,
            expires_at: self.optional_timestamp("expires_at")?,
            is_active: self.flag("is_active")?,
            account_suspended: self.optional_timestamp("suspended_at")?.is_some(),
        })
    }

    /// An account, by `account_columns!`.
    fn account(&self) -> Result<Account, StorageError> {
        Ok(Account {
            id: self.account_id("account_id")?,
            email: email(&self.some_text("email")?)?,
            role: Role::parse(&self.some_text("role")?).ok_or(StorageError::Corrupt("role"))?,
            suspended_at: self.optional_timestamp("suspended_at")?,
            created_at: self.timestamp("account_created_at")?,
        })
    }

    /// An account and the numbers of its keys.
    fn account_summary(&self) -> Result<AccountSummary, StorageError> {
        Ok(AccountSummary {
            account: self.account()?,
            active_keys: self.count("active_keys")?,
            keys: self.count("keys")?,
            reset_ends_at: self.optional_timestamp("reset_ends_at")?,
        })
    }

    /// An account and its password's hash.
    fn stored_account(&self) -> Result<StoredAccount, StorageError> {
        Ok(StoredAccount {
            account: self.account()?,
            password_hash: self.some_text("password_hash")?,
        })
    }

    /// A session and its account, by `session_columns!`.
    fn session(&self) -> Result<(Session, Account), StorageError> {
        let session = Session {
            id: some(self.id("session_id")?).map(SessionId::from_bytes)?,
            account_id: self.account_id("account_id")?,
            token_hash: self.token_hash()?,
            created_at: self.timestamp("session_created_at")?,
            last_seen_at: self.timestamp("last_seen_at")?,
            idle_ends_at: self.timestamp("idle_ends_at")?,
            ends_at: self.timestamp("ends_at")?,
            origin: SessionOrigin {
                address: self
                    .text("address")?
                    .map(|address| address.parse())
                    .transpose()
                    .map_err(|_| StorageError::Corrupt("address"))?,
                user_agent: self.text("user_agent")?,
                marks: Vec::new(),
            },
        };
        Ok((session, self.account()?))
    }

    /// An invitation.
    fn invitation(&self) -> Result<Invitation, StorageError> {
        Ok(Invitation {
            id: some(self.id("id")?).map(LinkId::from_bytes)?,
            token_hash: self.token_hash()?,
            kind: InvitationKind::parse(&self.some_text("kind")?)
                .ok_or(StorageError::Corrupt("invitation"))?,
            email: self.optional_email("email")?,
            created_by: self.optional_account_id("created_by")?,
            session_id: self.id("session_id")?.map(SessionId::from_bytes),
            created_at: self.timestamp("created_at")?,
            expires_at: self.timestamp("expires_at")?,
        })
    }

    /// A link to reset a password, and its account, by `account_columns!` and
    /// the link's own.
    fn password_reset(&self) -> Result<(PasswordReset, Account), StorageError> {
        let reset = PasswordReset {
            id: some(self.id("id")?).map(LinkId::from_bytes)?,
            token_hash: self.token_hash()?,
            account_id: self.account_id("account_id")?,
            created_by: self.optional_account_id("created_by")?,
            session_id: self.id("session_id")?.map(SessionId::from_bytes),
            created_at: self.timestamp("created_at")?,
            expires_at: self.timestamp("expires_at")?,
        };
        Ok((reset, self.account()?))
    }

    /// A link of any kind.
    fn link(&self) -> Result<Link, StorageError> {
        let kind = self.some_text("kind")?;
        let kind = match InvitationKind::parse(&kind) {
            Some(kind) => kind.into(),
            None if kind == LinkKind::PasswordReset.as_str() => LinkKind::PasswordReset,
            None => return Err(StorageError::Corrupt("kind of a link")),
        };
        Ok(Link {
            id: some(self.id("id")?).map(LinkId::from_bytes)?,
            kind,
            account_id: self.optional_account_id("account_id")?,
            account: self.optional_email("account_email")?,
            created_by: self.optional_email("maker_email")?,
            created_at: self.timestamp("created_at")?,
            expires_at: self.timestamp("expires_at")?,
        })
    }

    /// An address, if there is one.
    fn optional_email(&self, name: &str) -> Result<Option<EmailAddress>, StorageError> {
        self.text(name)?.map(|text| email(&text)).transpose()
    }

    /// An audit entry, with the addresses of the accounts in it.
    fn recorded_entry(&self) -> Result<RecordedEntry, StorageError> {
        Ok(RecordedEntry {
            id: self.count("id")?,
            at: self.timestamp("at")?,
            actor: match (
                self.optional_email("actor_email")?,
                &*self.some_text("actor")?,
            ) {
                (Some(email), _) => RecordedActor::Account(email),
                (None, "prober") => RecordedActor::Prober,
                (None, _) => RecordedActor::Operator,
            },
            action: self.some_text("action")?,
            account: self.optional_email("account_email")?,
            subject_id: self.text("subject_id")?,
            detail: self.text("detail")?,
        })
    }

    /// A component.
    fn component(&self) -> Result<ComponentId, StorageError> {
        component(&self.some_text("component")?)
    }

    /// Who probes a component.
    fn probe_claim(&self) -> Result<ProbeClaim, StorageError> {
        Ok(ProbeClaim {
            component: self.component()?,
            prober: some(self.id("prober_id")?).map(ProberId::from_bytes)?,
            beat: self.count("beat")?,
        })
    }

    /// The last probe of a component.
    fn latest_probe(&self) -> Result<LatestProbe, StorageError> {
        Ok(LatestProbe {
            component: self.component()?,
            at: self.timestamp("at")?,
            is_up: self.flag("is_up")?,
            duration_ms: self.count("duration_ms")?,
        })
    }

    /// How many probes of a component succeeded and failed.
    fn tally(&self) -> Result<Tally, StorageError> {
        Ok(Tally {
            up: self.count("up")?,
            down: self.count("down")?,
        })
    }

    /// What the probes of an hour or a day say.
    fn rollup(&self) -> Result<Rollup, StorageError> {
        Ok(Rollup {
            component: self.component()?,
            starts_at: self.timestamp("starts_at")?,
            tally: self.tally()?,
            known_ms: self.count("known_ms")?,
            up_duration_ms: self.count("up_duration_ms")?,
        })
    }

    /// An incident, without what was said of it.
    fn incident(&self) -> Result<Incident, StorageError> {
        let components = self.some_text("components")?;
        Ok(Incident {
            id: some(self.id("incident_id")?).map(IncidentId::from_bytes)?,
            kind: IncidentKind::parse(&self.some_text("kind")?)
                .ok_or(StorageError::Corrupt("kind of incident"))?,
            title: IncidentTitle::parse(&self.some_text("title")?)
                .map_err(|_| StorageError::Corrupt("title"))?,
            components: components
                .split_whitespace()
                .map(component)
                .collect::<Result<_, _>>()?,
            starts_at: self.timestamp("starts_at")?,
            ends_at: self.optional_timestamp("ends_at")?,
            updates: Vec::new(),
        })
    }

    /// Something that was said of an incident, if there is anything.
    fn incident_update(&self) -> Result<Option<IncidentUpdate>, StorageError> {
        let Some(id) = self.id("update_id")?.map(UpdateId::from_bytes) else {
            return Ok(None);
        };
        Ok(Some(IncidentUpdate {
            id,
            at: self.timestamp("at")?,
            state: IncidentState::parse(&self.some_text("state")?)
                .ok_or(StorageError::Corrupt("state of an incident"))?,
            message: IncidentMessage::parse(&self.some_text("message")?)
                .map_err(|_| StorageError::Corrupt("message"))?,
        }))
    }
}

fn component(text: &str) -> Result<ComponentId, StorageError> {
    ComponentId::parse(text).ok_or(StorageError::Corrupt("component"))
}

fn email(text: &str) -> Result<EmailAddress, StorageError> {
    EmailAddress::parse(text).map_err(|_| StorageError::Corrupt("e-mail address"))
}

fn some<T>(found: Option<T>) -> Result<T, StorageError> {
    found.ok_or(StorageError::Corrupt("column"))
}
