-- What the keys above begin with, and how many an account may have, active ones and all, as the last server had it:
-- for commands that are run without its configuration.
ALTER TABLE hasher ADD COLUMN key_prefix TEXT;
ALTER TABLE hasher ADD COLUMN max_active BIGINT;
ALTER TABLE hasher ADD COLUMN max_total BIGINT;

-- Tells this database from those of other keygates on the same host, whose cookies browsers send to all of them.
ALTER TABLE hasher ADD COLUMN installation TEXT;

-- For pages of an account's keys that are switched on, or off, among many that are not.
CREATE INDEX api_keys_on ON api_keys (account_id, id) WHERE is_active;
CREATE INDEX api_keys_off ON api_keys (account_id, id) WHERE NOT is_active;

-- For a rare action among millions of entries, and among those of one account.
CREATE INDEX audit_entries_by_action ON audit_entries (action, id);
CREATE INDEX audit_entries_by_account_and_action ON audit_entries (account_id, action, id);

-- How keys were used since this version; what nodes of the version before count, and what was counted
-- before, stands in `api_keys`. Apart from the keys, since it changes every second and they seldom do, and
-- with room in each page for the next use, so that no index has to change.
CREATE TABLE key_uses (
  key_id        UUID PRIMARY KEY REFERENCES api_keys (id) ON DELETE CASCADE,
  last_used_at  BIGINT NOT NULL,
  request_count BIGINT NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

-- The address of the only account that an invitation makes.
ALTER TABLE invitations ADD COLUMN email TEXT;

-- For forgetting what is over.
CREATE INDEX sessions_by_end ON sessions (least(idle_ends_at, ends_at));
CREATE INDEX invitations_by_end ON invitations (expires_at);
CREATE INDEX password_resets_by_end ON password_resets (expires_at);

-- For the status page: what is open, what was over lately, and outages that are to be forgotten.
CREATE INDEX incidents_by_end ON incidents (ends_at);
CREATE INDEX incidents_of_kind_by_end ON incidents (kind, ends_at);

-- What is written to see whether anything can be written. Connections share a few rows.
CREATE TABLE write_probe (
  slot INTEGER PRIMARY KEY,
  writes BIGINT NOT NULL
);

-- Has a row while another database is being copied into this one.
CREATE TABLE unfinished_copy (
  singleton INTEGER PRIMARY KEY CHECK (singleton = 1)
);

-- Links are listed and withdrawn by an id, which opens nothing, and end with the session that made them.
-- Nodes of the version before make links, too, and give them none.
ALTER TABLE invitations ADD COLUMN id UUID NOT NULL UNIQUE DEFAULT gen_random_uuid();
ALTER TABLE invitations ADD COLUMN session_id UUID;

ALTER TABLE password_resets ADD COLUMN id UUID NOT NULL UNIQUE DEFAULT gen_random_uuid();
ALTER TABLE password_resets ADD COLUMN session_id UUID;

-- By what clients are known from which somebody has signed in to an account: hashes of their sites and of
-- what their browsers keep.
CREATE TABLE known_clients (
  account_id   UUID NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  mark         BYTEA NOT NULL CHECK (length(mark) = 32),
  signed_in_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, mark)
);

-- Which of an account's sessions was not used for the longest time.
CREATE INDEX sessions_by_use ON sessions (account_id, last_seen_at);

-- What says that the history of changes is the one that was read. This stays the end of this file, so
-- that locks are taken in the order in which writers take them: this one before the table it is for.
SELECT pg_advisory_xact_lock(1802987109);

-- A database that has gone back gives the same revisions to other changes, but not the same identities.
ALTER TABLE changes ADD COLUMN identity UUID NOT NULL DEFAULT gen_random_uuid();

-- The newest change is never forgotten, by nodes of an older version either: it is what a node has read
-- up to that has read everything.
CREATE FUNCTION keep_newest_change() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.revision = (SELECT max(revision) FROM changes) THEN
    RETURN NULL;
  END IF;
  RETURN OLD;
END
$$;

CREATE TRIGGER keep_newest_change BEFORE DELETE ON changes
  FOR EACH ROW EXECUTE FUNCTION keep_newest_change();

-- The beginning of a history has an identity, too.
INSERT INTO changes (key_hash) SELECT NULL WHERE NOT EXISTS (SELECT 1 FROM changes);
