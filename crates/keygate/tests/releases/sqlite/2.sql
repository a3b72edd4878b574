-- A database as a program with schema version 2 left it on SQLite: an account, a key in use and one that is off.
BEGIN TRANSACTION;
CREATE TABLE accounts (
  id            BLOB PRIMARY KEY CHECK (length(id) = 16),
  email         TEXT NOT NULL UNIQUE,
  password_hash TEXT NOT NULL,
  suspended_at  INTEGER,
  created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "accounts" VALUES(X'0197593D1C0070008000000000000001','ada@example.com','$argon2id$v=19$m=19456,t=2,p=1$P0ACH9O64T2EOJPqdtbRFA$+12NrnxTuSjelK1warnAAiX7GVlIxSlvcUclU0X8S3Q',NULL,1749542400000);
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
, request_count INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
INSERT INTO "api_keys" VALUES(X'0197593D1C007000800000000000000A',X'0197593D1C0070008000000000000001',X'C38ED28D77A9A2156930173F5DD6D88F61E15E3C1849F9B34E81F1358B5BA16D','in use','ask_a1b2',3,NULL,1,1749542400000,NULL,0);
INSERT INTO "api_keys" VALUES(X'0197593D1C007000800000000000000B',X'0197593D1C0070008000000000000001',X'9EE06E8B2C64274718D89E3D368D6189BC22FD3458285360C6A1AB8A9856EFAB','off','ask_0000',2,NULL,0,1749542400000,NULL,0);
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
INSERT INTO "audit_entries" VALUES(1,1749542400000,'operator',NULL,'account.create',X'0197593D1C0070008000000000000001',NULL,NULL);
INSERT INTO "audit_entries" VALUES(2,1749542400000,'operator',NULL,'key.issue',X'0197593D1C0070008000000000000001','0197593d-1c00-7000-8000-00000000000a',NULL);
INSERT INTO "audit_entries" VALUES(3,1749542400000,'operator',NULL,'key.issue',X'0197593D1C0070008000000000000001','0197593d-1c00-7000-8000-00000000000b',NULL);
CREATE TABLE hasher (
  only        INTEGER PRIMARY KEY CHECK (only = 1),
  fingerprint TEXT NOT NULL
) STRICT;
INSERT INTO "hasher" VALUES(1,'sha256');
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
CREATE TABLE usage_flushes (
  recorder_id BLOB PRIMARY KEY CHECK (length(recorder_id) = 16),
  number      INTEGER NOT NULL,
  flushed_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_account ON sessions (account_id);
CREATE INDEX api_keys_by_account ON api_keys (account_id, id);
CREATE INDEX api_keys_active ON api_keys (account_id, expires_at) WHERE is_active = 1;
CREATE INDEX audit_entries_by_account ON audit_entries (account_id, id);
COMMIT;
PRAGMA application_id = 1262960980;
PRAGMA user_version = 2;
