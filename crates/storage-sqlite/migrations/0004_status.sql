-- Who probes a component. `beat` goes on as long as it does.
CREATE TABLE probe_claims (
  component TEXT PRIMARY KEY,
  prober_id BLOB NOT NULL CHECK (length(prober_id) = 16),
  beat      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The probes of the last day.
CREATE TABLE probes (
  component   TEXT NOT NULL,
  at          INTEGER NOT NULL,
  is_up       INTEGER NOT NULL CHECK (is_up IN (0, 1)),
  duration_ms INTEGER NOT NULL,
  PRIMARY KEY (component, at)
) STRICT, WITHOUT ROWID;

-- What the probes of an hour or a day say in sum.
CREATE TABLE probe_rollups (
  component      TEXT NOT NULL,
  period         TEXT NOT NULL CHECK (period IN ('hour', 'day')),
  starts_at      INTEGER NOT NULL,
  up             INTEGER NOT NULL,
  down           INTEGER NOT NULL,
  known_ms       INTEGER NOT NULL,
  up_duration_ms INTEGER NOT NULL,
  PRIMARY KEY (component, period, starts_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE incidents (
  id         BLOB PRIMARY KEY CHECK (length(id) = 16),
  kind       TEXT NOT NULL CHECK (kind IN ('outage', 'incident', 'maintenance')),
  title      TEXT NOT NULL,
  components TEXT NOT NULL,
  starts_at  INTEGER NOT NULL,
  ends_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX incidents_open_outage ON incidents (components)
  WHERE kind = 'outage' AND ends_at IS NULL;

CREATE TABLE incident_updates (
  id          BLOB PRIMARY KEY CHECK (length(id) = 16),
  incident_id BLOB NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
  at          INTEGER NOT NULL,
  state       TEXT NOT NULL,
  message     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX incident_updates_by_incident ON incident_updates (incident_id, id);
