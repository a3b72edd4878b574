
-- What the keys above begin with, and how many active ones an account may have, as the last server had it:
-- for commands that are run without its configuration.
ALTER TABLE hasher ADD COLUMN key_prefix TEXT;
ALTER TABLE hasher ADD COLUMN max_active BIGINT;
