-- Times are milliseconds since the epoch, ids and hashes are their bytes.

CREATE TABLE accounts (
  id            BLOB PRIMARY KEY CHECK (length(id) = 16),
  email         TEXT NOT NULL UNIQUE,
  password_hash TEXT NOT NULL,
  suspended_at  INTEGER,
  created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE invitations (
  token_hash BLOB PRIMARY KEY CHECK (length(token_hash) = 32),
  kind       TEXT NOT NULL CHECK (kind IN ('setup', 'invite')),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  id           BLOB PRIMARY KEY CHECK (length(id) = 16),
  account_id   BLOB NOT NULL REFERENCES accounts (id),
  token_hash   BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
  created_at   INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  idle_ends_at INTEGER NOT NULL,
  ends_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_account ON sessions (account_id);

CREATE TABLE api_keys (
  id           BLOB PRIMARY KEY CHECK (length(id) = 16),
  account_id   BLOB NOT NULL REFERENCES accounts (id),
  hash         BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  name         TEXT NOT NULL,
  key_prefix   TEXT NOT NULL,
  scopes       INTEGER NOT NULL CHECK (scopes BETWEEN 1 AND 15),
  expires_at   INTEGER,
  is_active    INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  created_at   INTEGER NOT NULL,
  last_used_at INTEGER
) STRICT, WITHOUT ROWID;

-- Ids sort by time, so this is also the order in which keys are listed.
CREATE INDEX api_keys_by_account ON api_keys (account_id, id);

-- For counting the active keys among many that are not.
CREATE INDEX api_keys_active ON api_keys (account_id, expires_at) WHERE is_active = 1;

CREATE TABLE audit_entries (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  at         INTEGER NOT NULL,
  actor      TEXT NOT NULL,
  actor_id   BLOB,
  action     TEXT NOT NULL,
  account_id BLOB,
  subject_id TEXT,
  detail     TEXT
) STRICT;

CREATE INDEX audit_entries_by_account ON audit_entries (account_id, id);

-- One row: the scheme by which the secrets of the keys above are hashed.
CREATE TABLE hasher (
  only        INTEGER PRIMARY KEY CHECK (only = 1),
  fingerprint TEXT NOT NULL
) STRICT;
