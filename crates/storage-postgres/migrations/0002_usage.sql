ALTER TABLE api_keys ADD COLUMN request_count BIGINT NOT NULL DEFAULT 0;

-- The last flush of uses that each recorder has written, so that none is counted twice.
CREATE TABLE usage_flushes (
  recorder_id UUID PRIMARY KEY,
  number      BIGINT NOT NULL,
  flushed_at  BIGINT NOT NULL
);
