-- Which keys changed, for the other nodes; without a hash, any may have.
CREATE TABLE changes (
  revision   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key_hash   BYTEA,
  changed_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX changes_by_time ON changes (changed_at);

-- One row: up to which revision changes are forgotten.
CREATE TABLE feed (
  singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
  forgotten_through BIGINT NOT NULL
);

INSERT INTO feed VALUES (1, 0);

-- To be called last in a transaction. Revisions are drawn under a lock that is held until the
-- transaction has become visible, so that they become visible in their order.
CREATE FUNCTION publish_changes(hashes BYTEA[]) RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
  -- "kgfe"
  PERFORM pg_advisory_xact_lock(1802987109);
  INSERT INTO changes (key_hash) SELECT unnest(hashes);
  PERFORM pg_notify('keygate_changes', '');
END
$$;
