-- Uploads that outlive their connections. The bytes lie in the blob store under the upload's id;
-- offset_bytes of them are known to be on the disk. One that became a release stays for a day, so
-- that a client whose answer got lost learns of it.
CREATE TABLE uploads (
    id BLOB NOT NULL PRIMARY KEY,
    project_id BLOB NOT NULL REFERENCES projects (id),
    user_id BLOB NOT NULL REFERENCES users (id),
    version TEXT NOT NULL,
    file_name TEXT NOT NULL,
    promised_sha256 BLOB CHECK (length(promised_sha256) = 32),
    size_bytes INTEGER NOT NULL CHECK (size_bytes > 0),
    offset_bytes INTEGER NOT NULL CHECK (offset_bytes BETWEEN 0 AND size_bytes),
    created_at_ms INTEGER NOT NULL,
    last_byte_at_ms INTEGER NOT NULL,
    finished_at_ms INTEGER
) STRICT;
CREATE INDEX uploads_running ON uploads (project_id) WHERE finished_at_ms IS NULL;
CREATE INDEX uploads_idle ON uploads (last_byte_at_ms);
