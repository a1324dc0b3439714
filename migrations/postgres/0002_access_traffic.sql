ALTER TABLE access_sessions ADD COLUMN traffic_bytes BIGINT;
CREATE INDEX access_sessions_live_address ON access_sessions (client_ip) WHERE finished_at_ms IS NULL;
