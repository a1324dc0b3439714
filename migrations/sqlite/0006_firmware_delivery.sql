-- Rollouts, actions and what is needed to answer a fleet from memory.

-- Raised before a device or its action changes, so that other instances can tell what is new.
ALTER TABLE portal_state ADD COLUMN fleet_seq INTEGER NOT NULL DEFAULT 0;

ALTER TABLE projects ADD COLUMN two_person_approval INTEGER NOT NULL DEFAULT 0 CHECK (two_person_approval IN (0, 1));
ALTER TABLE projects ADD COLUMN registers_unknown_devices INTEGER NOT NULL DEFAULT 0 CHECK (registers_unknown_devices IN (0, 1));
ALTER TABLE projects ADD COLUMN gateway_token_hash BLOB CHECK (length(gateway_token_hash) = 32);
ALTER TABLE projects ADD COLUMN quota_bytes INTEGER CHECK (quota_bytes > 0);
-- Raised by each change, so that nobody writes over what somebody else changed meanwhile.
ALTER TABLE projects ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE releases ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN poll_s INTEGER NOT NULL DEFAULT 3600 CHECK (poll_s BETWEEN 5 AND 86400);

-- What the image says of itself, as the API's JSON, and what stood against it.
ALTER TABLE releases ADD COLUMN image_json TEXT;
-- The number that foreign clients know a release by; unique in the project.
ALTER TABLE releases ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE releases ADD COLUMN channel TEXT NOT NULL DEFAULT 'stable' CHECK (channel IN ('stable', 'beta'));
ALTER TABLE releases ADD COLUMN min_version TEXT;
ALTER TABLE releases ADD COLUMN allow_downgrade INTEGER NOT NULL DEFAULT 0 CHECK (allow_downgrade IN (0, 1));
-- Plan and standing of the rollout, as JSON. What is there already goes on to everybody.
ALTER TABLE releases ADD COLUMN rollout_json TEXT NOT NULL DEFAULT '{"percent":100,"error_threshold_percent":20}';
-- Who wanted it published and who agreed, as JSON.
ALTER TABLE releases ADD COLUMN approval_json TEXT NOT NULL DEFAULT '{}';
UPDATE releases SET number = (SELECT COUNT(*) FROM releases AS older WHERE older.project_id = releases.project_id AND older.id <= releases.id);
CREATE UNIQUE INDEX releases_number ON releases (project_id, number);

-- What foreign clients call the device where that is no UUID.
ALTER TABLE devices ADD COLUMN controller_id TEXT;
ALTER TABLE devices ADD COLUMN channel TEXT NOT NULL DEFAULT 'stable' CHECK (channel IN ('stable', 'beta'));
-- Whether the device has yet to tell its attributes.
ALTER TABLE devices ADD COLUMN wants_attributes INTEGER NOT NULL DEFAULT 1 CHECK (wants_attributes IN (0, 1));
ALTER TABLE devices ADD COLUMN fleet_seq INTEGER NOT NULL DEFAULT 0;
-- The release of its newest action.
ALTER TABLE devices ADD COLUMN action_release_id BLOB;
CREATE UNIQUE INDEX devices_controller_id ON devices (project_id, controller_id) WHERE controller_id IS NOT NULL;
CREATE INDEX devices_fleet_seq ON devices (fleet_seq);
CREATE INDEX devices_group ON devices (project_id, group_name);

-- So that other instances forget a removed device; kept for a day.
CREATE TABLE removed_devices (
    project_id BLOB NOT NULL,
    device_id BLOB NOT NULL,
    fleet_seq INTEGER NOT NULL,
    removed_at_ms INTEGER NOT NULL,
    PRIMARY KEY (project_id, device_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX removed_devices_fleet_seq ON removed_devices (fleet_seq);

-- One row for each device and release: its newest attempt.
CREATE TABLE actions (
    project_id BLOB NOT NULL,
    device_id BLOB NOT NULL,
    release_id BLOB NOT NULL REFERENCES releases (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL CHECK (attempt >= 1),
    state TEXT NOT NULL CHECK (state IN ('pending', 'downloading', 'installing', 'succeeded', 'failed', 'rolled_back', 'cancelling', 'cancelled')),
    from_version TEXT,
    detail TEXT NOT NULL,
    progress_percent INTEGER CHECK (progress_percent BETWEEN 0 AND 100),
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    -- When a failed one may be offered again.
    retry_at_ms INTEGER,
    -- When one that began counts as stuck.
    deadline_at_ms INTEGER,
    finished_at_ms INTEGER,
    PRIMARY KEY (project_id, device_id, release_id),
    FOREIGN KEY (project_id, device_id) REFERENCES devices (project_id, device_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX actions_release ON actions (release_id, state, device_id, finished_at_ms);
CREATE INDEX actions_deadline ON actions (deadline_at_ms) WHERE deadline_at_ms IS NOT NULL;

-- What became of each attempt, for the device's timeline.
CREATE TABLE action_events (
    id BLOB NOT NULL PRIMARY KEY,
    project_id BLOB NOT NULL,
    device_id BLOB NOT NULL,
    release_id BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    detail TEXT NOT NULL,
    FOREIGN KEY (project_id, device_id) REFERENCES devices (project_id, device_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX action_events_device ON action_events (project_id, device_id, id);

-- How many devices came into or left a state, minute by minute, so that a rollout over time is
-- drawn without reading the events of a whole fleet.
CREATE TABLE rollout_minutes (
    release_id BLOB NOT NULL REFERENCES releases (id) ON DELETE CASCADE,
    minute_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    delta INTEGER NOT NULL,
    PRIMARY KEY (release_id, minute_ms, state)
) STRICT, WITHOUT ROWID;
