-- Who probes a component. `beat` goes on as long as it does.
CREATE TABLE probe_claims (
  component TEXT PRIMARY KEY,
  prober_id UUID NOT NULL,
  beat      BIGINT NOT NULL
);

-- The probes of the last day.
CREATE TABLE probes (
  component   TEXT NOT NULL,
  at          BIGINT NOT NULL,
  is_up       BOOLEAN NOT NULL,
  duration_ms BIGINT NOT NULL,
  PRIMARY KEY (component, at)
);

-- What the probes of an hour or a day say in sum.
CREATE TABLE probe_rollups (
  component      TEXT NOT NULL,
  period         TEXT NOT NULL CHECK (period IN ('hour', 'day')),
  starts_at      BIGINT NOT NULL,
  up             BIGINT NOT NULL,
  down           BIGINT NOT NULL,
  known_ms       BIGINT NOT NULL,
  up_duration_ms BIGINT NOT NULL,
  PRIMARY KEY (component, period, starts_at)
);

CREATE TABLE incidents (
  id         UUID PRIMARY KEY,
  kind       TEXT NOT NULL CHECK (kind IN ('outage', 'incident', 'maintenance')),
  title      TEXT NOT NULL,
  components TEXT NOT NULL,
  starts_at  BIGINT NOT NULL,
  ends_at    BIGINT
);

CREATE UNIQUE INDEX incidents_open_outage ON incidents (components)
  WHERE kind = 'outage' AND ends_at IS NULL;

CREATE TABLE incident_updates (
  id          UUID PRIMARY KEY,
  incident_id UUID NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
  at          BIGINT NOT NULL,
  state       TEXT NOT NULL,
  message     TEXT NOT NULL
);

CREATE INDEX incident_updates_by_incident ON incident_updates (incident_id, id);
