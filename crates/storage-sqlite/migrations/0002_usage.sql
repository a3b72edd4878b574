ALTER TABLE api_keys ADD COLUMN request_count INTEGER NOT NULL DEFAULT 0;

-- The last flush of uses that each recorder has written, so that none is counted twice.
CREATE TABLE usage_flushes (
  recorder_id BLOB PRIMARY KEY CHECK (length(recorder_id) = 16),
  number      INTEGER NOT NULL,
  flushed_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
