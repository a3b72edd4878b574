-- For the history of one key.
CREATE INDEX audit_entries_by_subject ON audit_entries (subject_id, id);

ALTER TABLE accounts ADD COLUMN role TEXT NOT NULL DEFAULT 'member'
  CHECK (role IN ('member', 'admin'));

ALTER TABLE sessions ADD COLUMN address TEXT;
ALTER TABLE sessions ADD COLUMN user_agent TEXT;

-- Whoever made a link; nobody, where the operator did.
ALTER TABLE invitations ADD COLUMN created_by BLOB REFERENCES accounts (id);

-- An account has one link to reset its password.
CREATE TABLE password_resets (
  account_id BLOB PRIMARY KEY REFERENCES accounts (id),
  token_hash BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
  created_by BLOB REFERENCES accounts (id),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which key came of which form, so that a form that is sent twice makes one key.
CREATE TABLE key_forms (
  account_id BLOB NOT NULL REFERENCES accounts (id),
  form_id    BLOB NOT NULL CHECK (length(form_id) = 16),
  key_id     BLOB NOT NULL CHECK (length(key_id) = 16),
  sent_at    INTEGER NOT NULL,
  PRIMARY KEY (account_id, form_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX key_forms_by_time ON key_forms (sent_at);
