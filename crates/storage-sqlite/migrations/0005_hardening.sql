
-- What the keys above begin with, and how many active ones an account may have, as the last server had it:
-- for commands that are run without its configuration.
ALTER TABLE hasher ADD COLUMN key_prefix TEXT;
ALTER TABLE hasher ADD COLUMN max_active INTEGER;

-- What is written to see whether anything can be written: a row of its own, whose count changes each time.
CREATE TABLE write_probe (
  singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
  writes INTEGER NOT NULL
) STRICT;
INSERT INTO write_probe (singleton, writes) VALUES (1, 0);

-- A random number, drawn anew each time before the write-ahead log is written back: by it is told whether a
-- log belongs to this file.
CREATE TABLE generation (
  singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
  id        TEXT NOT NULL
) STRICT;
INSERT INTO generation VALUES (1, lower(hex(randomblob(16))));
