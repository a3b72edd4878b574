-- What the keys above begin with, and how many active ones an account may have, as the last server had it:
-- for commands that are run without its configuration.
ALTER TABLE hasher ADD COLUMN key_prefix TEXT;
ALTER TABLE hasher ADD COLUMN max_active BIGINT;

-- What is written to see whether anything can be written. Connections share a few rows.
CREATE TABLE write_probe (
  slot INTEGER PRIMARY KEY,
  writes BIGINT NOT NULL
);

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
