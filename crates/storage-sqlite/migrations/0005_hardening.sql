-- What the keys above begin with, and how many an account may have, active ones and all, as the last server had it:
-- for commands that are run without its configuration.
ALTER TABLE hasher ADD COLUMN key_prefix TEXT;
ALTER TABLE hasher ADD COLUMN max_active INTEGER;
ALTER TABLE hasher ADD COLUMN max_total INTEGER;

-- Tells this database from those of other keygates on the same host, whose cookies browsers send to all of them.
ALTER TABLE hasher ADD COLUMN installation TEXT;

-- For pages of an account's keys that are switched on, or off, among many that are not.
CREATE INDEX api_keys_on ON api_keys (account_id, id) WHERE is_active = 1;
CREATE INDEX api_keys_off ON api_keys (account_id, id) WHERE is_active = 0;

-- For a rare action among millions of entries, and among those of one account.
CREATE INDEX audit_entries_by_action ON audit_entries (action, id);
CREATE INDEX audit_entries_by_account_and_action ON audit_entries (account_id, action, id);

-- How keys were used since this version; what was counted before stands in `api_keys` still. Apart from
-- the keys, since it changes every second and they seldom do.
CREATE TABLE key_uses (
  key_id        BLOB PRIMARY KEY CHECK (length(key_id) = 16)
                REFERENCES api_keys (id) ON DELETE CASCADE,
  last_used_at  INTEGER NOT NULL,
  request_count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The address of the only account that an invitation makes.
ALTER TABLE invitations ADD COLUMN email TEXT;

-- For forgetting what is over.
CREATE INDEX sessions_by_end ON sessions (min(idle_ends_at, ends_at));
CREATE INDEX invitations_by_end ON invitations (expires_at);
CREATE INDEX password_resets_by_end ON password_resets (expires_at);

-- For the status page: what is open, what was over lately, and outages that are to be forgotten.
CREATE INDEX incidents_by_end ON incidents (ends_at);
CREATE INDEX incidents_of_kind_by_end ON incidents (kind, ends_at);

-- What is written to see whether anything can be written: a row of its own, whose count changes each time.
CREATE TABLE write_probe (
  singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
  writes INTEGER NOT NULL
) STRICT;
INSERT INTO write_probe (singleton, writes) VALUES (1, 0);

-- Has a row while another database is being copied into this one.
CREATE TABLE unfinished_copy (
  singleton INTEGER PRIMARY KEY CHECK (singleton = 1)
) STRICT;

-- A random number, drawn anew each time before the write-ahead log is written back: by it is told whether a
-- log belongs to this file.
CREATE TABLE generation (
  singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
  id        TEXT NOT NULL
) STRICT;
INSERT INTO generation VALUES (1, lower(hex(randomblob(16))));

-- Links are listed and withdrawn by an id, which opens nothing, and end with the session that made them.
ALTER TABLE invitations ADD COLUMN id BLOB CHECK (length(id) = 16);
ALTER TABLE invitations ADD COLUMN session_id BLOB;
UPDATE invitations SET id = randomblob(16);
CREATE UNIQUE INDEX invitations_by_id ON invitations (id);

ALTER TABLE password_resets ADD COLUMN id BLOB CHECK (length(id) = 16);
ALTER TABLE password_resets ADD COLUMN session_id BLOB;
UPDATE password_resets SET id = randomblob(16);
CREATE UNIQUE INDEX password_resets_by_id ON password_resets (id);

-- By what clients are known from which somebody has signed in to an account: hashes of their sites and of
-- what their browsers keep.
CREATE TABLE known_clients (
  account_id   BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  mark         BLOB NOT NULL CHECK (length(mark) = 32),
  signed_in_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, mark)
) STRICT, WITHOUT ROWID;

-- Which of an account's sessions was not used for the longest time.
CREATE INDEX sessions_by_use ON sessions (account_id, last_seen_at);
