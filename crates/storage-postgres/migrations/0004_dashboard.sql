ALTER TABLE accounts ADD COLUMN role TEXT NOT NULL DEFAULT 'member'
  CHECK (role IN ('member', 'admin'));

ALTER TABLE sessions ADD COLUMN address TEXT;
ALTER TABLE sessions ADD COLUMN user_agent TEXT;

CREATE TABLE password_resets (
  token_hash BYTEA PRIMARY KEY CHECK (length(token_hash) = 32),
  account_id UUID NOT NULL UNIQUE REFERENCES accounts (id),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);

-- For the history of one key.
CREATE INDEX audit_entries_by_subject ON audit_entries (subject_id, id);
