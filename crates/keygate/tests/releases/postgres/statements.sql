INSERT INTO accounts (id, email, password_hash, role, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (email) DO NOTHING
SELECT accounts.id AS account_id, accounts.email, accounts.role, accounts.suspended_at, accounts.created_at AS account_created_at, password_hash FROM accounts WHERE email = $1
SELECT accounts.id AS account_id, accounts.email, accounts.role, accounts.suspended_at, accounts.created_at AS account_created_at, (SELECT count(*) FROM api_keys WHERE account_id = accounts.id) AS keys, (SELECT count(*) FROM api_keys WHERE account_id = accounts.id AND is_active AND (expires_at IS NULL OR expires_at > $1)) AS active_keys FROM accounts WHERE id = $2
SELECT accounts.id AS account_id, accounts.email, accounts.role, accounts.suspended_at, accounts.created_at AS account_created_at, (SELECT count(*) FROM api_keys WHERE account_id = accounts.id) AS keys, (SELECT count(*) FROM api_keys WHERE account_id = accounts.id AND is_active AND (expires_at IS NULL OR expires_at > $1)) AS active_keys FROM accounts WHERE ($2::text IS NULL OR strpos(email, $2) > 0) AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4
SELECT 1 FROM accounts LIMIT 1
UPDATE accounts SET password_hash = $2 WHERE id = $1
UPDATE accounts SET role = $2 WHERE id = $1
UPDATE accounts SET suspended_at = coalesce(suspended_at, $2) WHERE id = $1
UPDATE accounts SET suspended_at = NULL WHERE id = $1
DELETE FROM sessions WHERE account_id = $1
SELECT hash FROM api_keys WHERE account_id = $1
SELECT pg_advisory_xact_lock(1802987886)
DELETE FROM invitations WHERE kind = 'setup'
INSERT INTO invitations (token_hash, kind, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)
SELECT * FROM invitations WHERE token_hash = $1
DELETE FROM invitations WHERE token_hash = $1
SELECT 1 FROM accounts WHERE id = $1 FOR NO KEY UPDATE
INSERT INTO password_resets (account_id, token_hash, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)
SELECT accounts.id AS account_id, accounts.email, accounts.role, accounts.suspended_at, accounts.created_at AS account_created_at, password_resets.* FROM password_resets JOIN accounts ON accounts.id = account_id WHERE token_hash = $1
DELETE FROM password_resets WHERE account_id = $1
DELETE FROM password_resets WHERE created_by = $1
DELETE FROM invitations WHERE created_by = $1
INSERT INTO audit_entries (at, actor, actor_id, action, account_id, subject_id, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)
SELECT 1 FROM sessions WHERE id = $1 AND least(idle_ends_at, ends_at) > $2 FOR NO KEY UPDATE
SELECT e.*, owner.email AS account_email, agent.email AS actor_email FROM audit_entries AS e LEFT JOIN accounts AS owner ON owner.id = e.account_id LEFT JOIN accounts AS agent ON agent.id = e.actor_id WHERE $1::text IS NULL AND ($2::uuid IS NULL OR e.account_id = $2) AND ($3::text IS NULL OR action = $3) AND e.id < $4 ORDER BY e.id DESC LIMIT $5
SELECT e.*, owner.email AS account_email, agent.email AS actor_email FROM audit_entries AS e LEFT JOIN accounts AS owner ON owner.id = e.account_id LEFT JOIN accounts AS agent ON agent.id = e.actor_id WHERE $1::text IS NULL AND e.account_id = $2 AND ($2::uuid IS NULL OR e.account_id = $2) AND ($3::text IS NULL OR action = $3) AND e.id < $4 ORDER BY e.id DESC LIMIT $5
SELECT e.*, owner.email AS account_email, agent.email AS actor_email FROM audit_entries AS e LEFT JOIN accounts AS owner ON owner.id = e.account_id LEFT JOIN accounts AS agent ON agent.id = e.actor_id WHERE subject_id = $1 AND ($2::uuid IS NULL OR e.account_id = $2) AND ($3::text IS NULL OR action = $3) AND e.id < $4 ORDER BY e.id DESC LIMIT $5
SELECT forgotten_through, greatest(forgotten_through, (SELECT max(revision) FROM changes)) AS last, revision, key_hash FROM feed LEFT JOIN LATERAL ( SELECT revision, key_hash FROM changes WHERE revision > $1 ORDER BY revision LIMIT $2 ) AS page ON true
SELECT greatest(forgotten_through, (SELECT max(revision) FROM changes)) AS last FROM feed
WITH forgotten AS ( DELETE FROM changes WHERE revision IN ( SELECT revision FROM changes WHERE revision <= ( SELECT max(revision) FROM changes WHERE changed_at < now() - interval '1 hour' ) ORDER BY revision LIMIT $1 ) RETURNING revision ) UPDATE feed SET forgotten_through = greatest(forgotten_through, (SELECT max(revision) FROM forgotten)) WHERE EXISTS (SELECT 1 FROM forgotten)
SELECT chosen.id AS incident_id, kind, title, components, starts_at, ends_at, u.id AS update_id, u.at, u.state, u.message FROM (SELECT * FROM incidents WHERE id = $1) AS chosen LEFT JOIN incident_updates AS u ON u.incident_id = chosen.id ORDER BY chosen.id DESC, u.id
SELECT chosen.id AS incident_id, kind, title, components, starts_at, ends_at, u.id AS update_id, u.at, u.state, u.message FROM (SELECT * FROM incidents WHERE kind = 'outage' AND ends_at IS NULL AND components = $1) AS chosen LEFT JOIN incident_updates AS u ON u.incident_id = chosen.id ORDER BY chosen.id DESC, u.id
SELECT chosen.id AS incident_id, kind, title, components, starts_at, ends_at, u.id AS update_id, u.at, u.state, u.message FROM (SELECT * FROM incidents WHERE ($1::bigint IS NULL OR ends_at IS NULL OR ends_at > $1) AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3) AS chosen LEFT JOIN incident_updates AS u ON u.incident_id = chosen.id ORDER BY chosen.id DESC, u.id
INSERT INTO incidents (id, kind, title, components, starts_at, ends_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
INSERT INTO incident_updates (id, incident_id, at, state, message) VALUES ($1, $2, $3, $4, $5)
UPDATE incidents SET ends_at = coalesce($2, ends_at) WHERE id = $1
UPDATE incidents SET title = coalesce($2, title), components = coalesce($3, components), starts_at = coalesce($4, starts_at), ends_at = coalesce($5, ends_at) WHERE id = $1
UPDATE incident_updates SET message = $3 WHERE incident_id = $1 AND id = $2
DELETE FROM incidents WHERE kind = 'outage' AND ends_at < $1
SELECT current_setting('server_version') AS server, (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT AS now, coalesce(has_schema_privilege(current_schema(), 'CREATE'), FALSE) AS can_create
SELECT 1 WHERE to_regclass('keygate_schema') IS NOT NULL
SELECT max(at) AS at FROM audit_entries
INSERT INTO api_keys (id, account_id, hash, name, key_prefix, scopes, expires_at, is_active, created_at, last_used_at, request_count) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
SELECT key_id FROM key_forms WHERE account_id = $1 AND form_id = $2
INSERT INTO key_forms (account_id, form_id, key_id, sent_at) VALUES ($1, $2, $3, $4)
DELETE FROM key_forms WHERE sent_at < $1
SELECT * FROM api_keys WHERE account_id = $1 AND id = $2
SELECT * FROM api_keys WHERE account_id = $1 AND id = $2 FOR UPDATE
UPDATE api_keys SET name = coalesce($3, name), scopes = coalesce($4, scopes), is_active = coalesce($5, is_active) WHERE account_id = $1 AND id = $2
DELETE FROM api_keys WHERE account_id = $1 AND id = $2 RETURNING hash
SELECT api_keys.id, account_id, scopes, expires_at, is_active, accounts.suspended_at FROM api_keys JOIN accounts ON accounts.id = account_id WHERE hash = $1
SELECT 1 FROM accounts WHERE id = $1 FOR NO KEY UPDATE
SELECT count(*) AS active FROM (SELECT 1 FROM api_keys WHERE account_id = $1 AND (is_active AND (expires_at IS NULL OR expires_at > $2)) AND id <> $3 LIMIT $4) AS counted
SELECT * FROM api_keys WHERE account_id = $1 AND CASE $3 WHEN 'active' THEN (is_active AND (expires_at IS NULL OR expires_at > $2)) WHEN 'inactive' THEN NOT is_active WHEN 'expired' THEN is_active AND expires_at <= $2 ELSE true END AND ($4::uuid IS NULL OR id < $4) ORDER BY id DESC LIMIT $5
SELECT pg_advisory_xact_lock_shared(1802987617)
SELECT pg_advisory_xact_lock(1802987617)
SELECT 1 FROM hasher WHERE fingerprint = $1
SELECT fingerprint FROM hasher
SELECT 1 FROM api_keys LIMIT 1
INSERT INTO hasher ("only", fingerprint) VALUES (1, $1) ON CONFLICT ("only") DO UPDATE SET fingerprint = excluded.fingerprint
SELECT current_setting('server_encoding') = 'UTF8' AS unicode, current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on' AS durable
SELECT version, runs_from FROM keygate_schema
INSERT INTO keygate_schema (singleton, version, runs_from) VALUES (1, $1, $2) ON CONFLICT (singleton) DO UPDATE SET version = excluded.version, runs_from = excluded.runs_from
SELECT 1 WHERE to_regclass('accounts') IS NOT NULL
INSERT INTO sessions (id, account_id, token_hash, created_at, last_seen_at, idle_ends_at, ends_at, address, user_agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
SELECT 1 FROM accounts WHERE id = $1 AND password_hash = $2 AND suspended_at IS NULL FOR NO KEY UPDATE
DELETE FROM sessions WHERE account_id = $1 AND least(idle_ends_at, ends_at) <= $2
SELECT accounts.id AS account_id, accounts.email, accounts.role, accounts.suspended_at, accounts.created_at AS account_created_at, sessions.id AS session_id, token_hash, last_seen_at, idle_ends_at, ends_at, address, user_agent, sessions.created_at AS session_created_at FROM sessions JOIN accounts ON accounts.id = sessions.account_id WHERE token_hash = $1
SELECT accounts.id AS account_id, accounts.email, accounts.role, accounts.suspended_at, accounts.created_at AS account_created_at, sessions.id AS session_id, token_hash, last_seen_at, idle_ends_at, ends_at, address, user_agent, sessions.created_at AS session_created_at FROM sessions JOIN accounts ON accounts.id = sessions.account_id WHERE account_id = $1 AND least(idle_ends_at, ends_at) > $2 ORDER BY last_seen_at DESC, sessions.id DESC LIMIT 100
UPDATE sessions SET last_seen_at = greatest(last_seen_at, $2), idle_ends_at = greatest(idle_ends_at, $3) WHERE id = (SELECT id FROM sessions WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED)
SELECT 1 FROM sessions WHERE account_id = $1 AND id = $2 FOR UPDATE
DELETE FROM sessions WHERE id = $1
DELETE FROM sessions WHERE account_id = $1 AND id <> $2
SELECT component, prober_id, beat FROM probe_claims
INSERT INTO probe_claims (component, prober_id, beat) VALUES ($1, $2, 0) ON CONFLICT (component) DO UPDATE SET prober_id = excluded.prober_id, beat = probe_claims.beat + 1 WHERE probe_claims.prober_id = $3 AND probe_claims.beat = $4
DELETE FROM probe_claims WHERE prober_id = $1
UPDATE probe_claims SET beat = beat + 1 WHERE component = $1 AND prober_id = $2
SELECT component, prober_id, beat FROM probe_claims WHERE component = $1
SELECT max(at) AS at FROM probes WHERE component = $1
INSERT INTO probes (component, at, is_up, duration_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
INSERT INTO probe_rollups AS r (component, period, starts_at, up, down, known_ms, up_duration_ms) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (component, period, starts_at) DO UPDATE SET up = r.up + excluded.up, down = r.down + excluded.down, known_ms = r.known_ms + excluded.known_ms, up_duration_ms = r.up_duration_ms + excluded.up_duration_ms
SELECT 1 FROM probe_rollups WHERE component = $1 AND period = $2 AND starts_at = $3
DELETE FROM probes WHERE component = $1 AND at > $2
DELETE FROM probes WHERE at < $1
DELETE FROM probe_rollups WHERE starts_at < $1
SELECT component, at, is_up, duration_ms FROM probes WHERE component = $1 ORDER BY at DESC LIMIT 3
SELECT component, at, is_up, duration_ms FROM probes JOIN (SELECT component, max(at) AS at FROM probes GROUP BY component) AS last USING (component, at) ORDER BY component
SELECT component, count(*) FILTER (WHERE is_up) AS up, count(*) FILTER (WHERE NOT is_up) AS down FROM probes WHERE at > $1 GROUP BY component ORDER BY component
SELECT component, starts_at, up, down, known_ms, up_duration_ms FROM probe_rollups WHERE period = $1 AND starts_at > $2 ORDER BY component, starts_at
INSERT INTO usage_flushes (recorder_id, number, flushed_at) VALUES ($1, $2, $3) ON CONFLICT (recorder_id) DO UPDATE SET number = excluded.number, flushed_at = excluded.flushed_at WHERE usage_flushes.number < excluded.number
WITH uses AS ( SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS uses (id, last_used_at, requests) ), locked AS ( SELECT api_keys.id FROM api_keys JOIN uses USING (id) ORDER BY id FOR NO KEY UPDATE OF api_keys ) UPDATE api_keys SET last_used_at = greatest(api_keys.last_used_at, uses.last_used_at), request_count = request_count + uses.requests FROM uses JOIN locked USING (id) WHERE api_keys.id = uses.id
DELETE FROM usage_flushes WHERE flushed_at < $1
