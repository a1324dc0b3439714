-- Invitations: who holds the secret may open one service without an account, so often and so
-- long. Uses are not counted here: the sessions that did not fail are the uses.
CREATE TABLE invitations (
    id UUID NOT NULL PRIMARY KEY,
    token_hash BYTEA NOT NULL CHECK (length(token_hash) = 32),
    service_id UUID NOT NULL REFERENCES services (id),
    user_id UUID NOT NULL REFERENCES users (id),
    label TEXT NOT NULL,
    max_minutes BIGINT NOT NULL CHECK (max_minutes > 0),
    max_uses BIGINT NOT NULL CHECK (max_uses > 0),
    created_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    last_opened_at_ms BIGINT,
    revoked_at_ms BIGINT
);
CREATE UNIQUE INDEX invitations_token_hash ON invitations (token_hash);
CREATE INDEX invitations_user ON invitations (user_id, id);

ALTER TABLE access_sessions ADD COLUMN invitation_id UUID REFERENCES invitations (id);
ALTER TABLE access_sessions ADD COLUMN guest_label TEXT;

-- A guest behind the owner's own address has a session beside the owner's.
DROP INDEX access_sessions_live;
CREATE UNIQUE INDEX access_sessions_live ON access_sessions (service_id, user_id, client_ip)
    WHERE finished_at_ms IS NULL AND invitation_id IS NULL;
CREATE UNIQUE INDEX access_sessions_live_guest ON access_sessions (invitation_id, client_ip)
    WHERE finished_at_ms IS NULL AND invitation_id IS NOT NULL;
CREATE INDEX access_sessions_invitation ON access_sessions (invitation_id, id) WHERE invitation_id IS NOT NULL;
