-- Signed manifests: the projects' keys, and numbers that only rise.

-- The last number that a publication in the project was given; a device never goes back.
ALTER TABLE projects ADD COLUMN last_release_counter BIGINT NOT NULL DEFAULT 0;
-- The number of the release's last publication.
ALTER TABLE releases ADD COLUMN release_counter BIGINT CHECK (release_counter > 0);
-- CRC-32 as zlib has it; of an image from before, computed when a manifest first needs it.
ALTER TABLE artifacts ADD COLUMN crc32 BIGINT CHECK (crc32 BETWEEN 0 AND 4294967295);

UPDATE releases SET release_counter = (
    SELECT COUNT(*) FROM releases AS earlier
    WHERE earlier.project_id = releases.project_id AND earlier.state = 'published'
        AND (COALESCE(earlier.published_at_ms, 0) < COALESCE(releases.published_at_ms, 0)
            OR (COALESCE(earlier.published_at_ms, 0) = COALESCE(releases.published_at_ms, 0) AND earlier.id <= releases.id)))
WHERE state = 'published';
UPDATE projects SET last_release_counter = (
    SELECT COALESCE(MAX(release_counter), 0) FROM releases WHERE releases.project_id = projects.id);
CREATE UNIQUE INDEX releases_counter ON releases (project_id, release_counter) WHERE release_counter IS NOT NULL;

-- One key signs for a project; a second one stands beside it while devices learn of it.
CREATE TABLE project_keys (
    id UUID NOT NULL PRIMARY KEY,
    project_id UUID NOT NULL REFERENCES projects (id),
    public_pem TEXT NOT NULL,
    -- Gone with the key's retirement.
    sealed_private BYTEA,
    created_at_ms BIGINT NOT NULL,
    retired_at_ms BIGINT,
    CHECK ((sealed_private IS NULL) = (retired_at_ms IS NOT NULL))
);
CREATE INDEX project_keys_in_force ON project_keys (project_id) WHERE retired_at_ms IS NULL;
