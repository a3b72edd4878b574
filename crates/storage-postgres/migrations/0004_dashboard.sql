-- For the history of one key. First, as it takes long where there are many entries, and what comes
-- after it shuts out those who read.
CREATE INDEX audit_entries_by_subject ON audit_entries (subject_id, id);

ALTER TABLE accounts ADD COLUMN role TEXT NOT NULL DEFAULT 'member'
  CHECK (role IN ('member', 'admin'));

ALTER TABLE sessions ADD COLUMN address TEXT;
ALTER TABLE sessions ADD COLUMN user_agent TEXT;

-- Whoever made a link; nobody, where the operator did.
ALTER TABLE invitations ADD COLUMN created_by UUID REFERENCES accounts (id);

-- An account has one link to reset its password.
CREATE TABLE password_resets (
  account_id UUID PRIMARY KEY REFERENCES accounts (id),
  token_hash BYTEA NOT NULL UNIQUE CHECK (length(token_hash) = 32),
  created_by UUID REFERENCES accounts (id),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);

-- Which key came of which form, so that a form that is sent twice makes one key.
CREATE TABLE key_forms (
  account_id UUID NOT NULL REFERENCES accounts (id),
  form_id    UUID NOT NULL,
  key_id     UUID NOT NULL,
  sent_at    BIGINT NOT NULL,
  PRIMARY KEY (account_id, form_id)
);

CREATE INDEX key_forms_by_time ON key_forms (sent_at);
