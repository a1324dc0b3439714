-- The first tables. The PostgreSQL twin has the same tables and columns; a test compares them.
-- Ids are UUIDs (16 bytes), moments are milliseconds since 1970. What was removed or has ended
-- stays, with its moment and reason; only live rows hold on to their unique names.

-- One row. Every change that others must notice raises change_seq first; on both databases
-- that also makes such changes wait for each other.
CREATE TABLE portal_state (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    change_seq INTEGER NOT NULL
) STRICT;
INSERT INTO portal_state (id, change_seq) VALUES (1, 0);

CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin')),
    password_hash TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    disabled_at_ms INTEGER,
    removed_at_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX users_email_key ON users (email_key) WHERE removed_at_ms IS NULL;

CREATE TABLE setup_links (
    token_hash BLOB NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    expires_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE sign_in_sessions (
    id BLOB NOT NULL PRIMARY KEY,
    token_hash BLOB NOT NULL CHECK (length(token_hash) = 32),
    user_id BLOB NOT NULL REFERENCES users (id),
    kind TEXT NOT NULL CHECK (kind IN ('browser', 'api')),
    created_at_ms INTEGER NOT NULL,
    last_seen_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    idle_ms INTEGER NOT NULL CHECK (idle_ms > 0),
    ip TEXT,
    user_agent TEXT NOT NULL,
    finished_at_ms INTEGER,
    end_reason TEXT,
    CHECK ((finished_at_ms IS NULL) = (end_reason IS NULL))
) STRICT;
CREATE UNIQUE INDEX sign_in_sessions_token_hash ON sign_in_sessions (token_hash) WHERE finished_at_ms IS NULL;
CREATE INDEX sign_in_sessions_user ON sign_in_sessions (user_id, id) WHERE finished_at_ms IS NULL;
CREATE INDEX sign_in_sessions_address ON sign_in_sessions (user_id, ip);

CREATE TABLE acks (
    id BLOB NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL REFERENCES users (id),
    seen_count INTEGER NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX acks_user ON acks (user_id, id);

CREATE TABLE routers (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    api_key_sealed BLOB NOT NULL,
    aes_key_sealed BLOB NOT NULL,
    cert_sha256 BLOB NOT NULL CHECK (length(cert_sha256) = 32),
    protocol INTEGER NOT NULL CHECK (protocol IN (1, 2)),
    created_at_ms INTEGER NOT NULL,
    removed_at_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX routers_name ON routers (name) WHERE removed_at_ms IS NULL;

CREATE TABLE services (
    id BLOB NOT NULL PRIMARY KEY,
    router_id BLOB NOT NULL REFERENCES routers (id),
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    icon TEXT NOT NULL,
    lan_ip TEXT NOT NULL,
    lan_port INTEGER NOT NULL CHECK (lan_port BETWEEN 1 AND 65535),
    public_port INTEGER NOT NULL CHECK (public_port BETWEEN 1 AND 65535),
    transport TEXT NOT NULL CHECK (transport IN ('tcp', 'udp')),
    kind TEXT NOT NULL CHECK (kind IN ('web', 'other')),
    url_path TEXT NOT NULL,
    default_minutes INTEGER NOT NULL CHECK (default_minutes > 0),
    max_minutes INTEGER NOT NULL CHECK (max_minutes > 0),
    created_at_ms INTEGER NOT NULL,
    removed_at_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX services_public_port ON services (router_id, public_port, transport) WHERE removed_at_ms IS NULL;

CREATE TABLE service_grants (
    service_id BLOB NOT NULL REFERENCES services (id),
    user_id BLOB NOT NULL REFERENCES users (id),
    PRIMARY KEY (service_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX service_grants_user ON service_grants (user_id);

CREATE TABLE access_sessions (
    id BLOB NOT NULL PRIMARY KEY,
    service_id BLOB NOT NULL REFERENCES services (id),
    router_id BLOB NOT NULL REFERENCES routers (id),
    user_id BLOB NOT NULL REFERENCES users (id),
    service_name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'open', 'closing', 'closed', 'failed')),
    client_ip TEXT NOT NULL,
    host TEXT NOT NULL,
    public_port INTEGER NOT NULL,
    lan_ip TEXT NOT NULL,
    lan_port INTEGER NOT NULL,
    transport TEXT NOT NULL CHECK (transport IN ('tcp', 'udp')),
    url TEXT,
    requested_at_ms INTEGER NOT NULL,
    opened_at_ms INTEGER,
    expires_at_ms INTEGER NOT NULL,
    finished_at_ms INTEGER,
    end_reason TEXT,
    CHECK ((finished_at_ms IS NOT NULL) = (state IN ('closed', 'failed'))),
    CHECK (finished_at_ms IS NULL OR end_reason IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX access_sessions_live ON access_sessions (service_id, user_id, client_ip) WHERE finished_at_ms IS NULL;
CREATE INDEX access_sessions_due ON access_sessions (expires_at_ms) WHERE finished_at_ms IS NULL;
CREATE INDEX access_sessions_live_user ON access_sessions (user_id) WHERE finished_at_ms IS NULL;
CREATE INDEX access_sessions_user ON access_sessions (user_id, id);
CREATE INDEX access_sessions_service ON access_sessions (service_id, id);
CREATE INDEX access_sessions_router ON access_sessions (router_id, id);

CREATE TABLE projects (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    hardware_json TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    removed_at_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX projects_name ON projects (name) WHERE removed_at_ms IS NULL;

CREATE TABLE artifacts (
    sha256 BLOB NOT NULL PRIMARY KEY CHECK (length(sha256) = 32),
    sha1 BLOB NOT NULL CHECK (length(sha1) = 20),
    md5 BLOB NOT NULL CHECK (length(md5) = 16),
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0)
) STRICT;

-- A draft may be deleted for good; any other release stays and keeps its version and file name.
CREATE TABLE releases (
    id BLOB NOT NULL PRIMARY KEY,
    project_id BLOB NOT NULL REFERENCES projects (id),
    version TEXT NOT NULL,
    version_key TEXT NOT NULL,
    file_name TEXT NOT NULL,
    sha256 BLOB NOT NULL REFERENCES artifacts (sha256),
    state TEXT NOT NULL CHECK (state IN ('draft', 'published', 'withdrawn')),
    notes TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    published_at_ms INTEGER,
    withdrawn_at_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX releases_version_key ON releases (project_id, version_key);
CREATE UNIQUE INDEX releases_file_name ON releases (project_id, file_name);
CREATE INDEX releases_sha256 ON releases (sha256);

CREATE TABLE devices (
    project_id BLOB NOT NULL REFERENCES projects (id),
    device_id BLOB NOT NULL,
    name TEXT NOT NULL,
    group_name TEXT NOT NULL,
    attributes_json TEXT NOT NULL,
    target_token_hash BLOB CHECK (length(target_token_hash) = 32),
    current_version TEXT,
    last_state TEXT CHECK (last_state IN ('downloading', 'installing', 'succeeded', 'failed', 'rolled_back')),
    last_seen_at_ms INTEGER,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (project_id, device_id)
) STRICT;

CREATE TABLE device_reports (
    id BLOB NOT NULL PRIMARY KEY,
    project_id BLOB NOT NULL,
    device_id BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    version TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('downloading', 'installing', 'succeeded', 'failed', 'rolled_back')),
    detail TEXT NOT NULL,
    FOREIGN KEY (project_id, device_id) REFERENCES devices (project_id, device_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX device_reports_device ON device_reports (project_id, device_id, id);

-- No reference to devices: a token may be made for a device that was never registered.
CREATE TABLE device_tokens (
    jti BLOB NOT NULL PRIMARY KEY,
    project_id BLOB NOT NULL REFERENCES projects (id),
    device_id BLOB NOT NULL,
    fw_version TEXT NOT NULL,
    issued_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    revoked_at_ms INTEGER
) STRICT;
CREATE INDEX device_tokens_project ON device_tokens (project_id, jti);
CREATE INDEX device_tokens_device ON device_tokens (device_id, jti);
CREATE INDEX device_tokens_revoked ON device_tokens (expires_at_ms) WHERE revoked_at_ms IS NOT NULL;

-- No references: a line outlives whatever it speaks of.
CREATE TABLE audit (
    id BLOB NOT NULL PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT,
    actor_name TEXT NOT NULL,
    ip TEXT,
    action TEXT NOT NULL,
    target_kind TEXT NOT NULL,
    target_id TEXT NOT NULL,
    result TEXT NOT NULL CHECK (result IN ('ok', 'refused', 'failed')),
    detail TEXT NOT NULL,
    request_id TEXT
) STRICT;
CREATE INDEX audit_target ON audit (target_id, id);
