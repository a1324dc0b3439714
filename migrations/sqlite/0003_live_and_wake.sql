-- Each change of a session that people see gets a number, so that every instance of the portal
-- can tell what is new. The triggers do it, so that no query can forget to.

-- One row.
CREATE TABLE access_session_changes (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL
) STRICT;
INSERT INTO access_session_changes (id, seq) VALUES (1, 0);

ALTER TABLE access_sessions ADD COLUMN changed_seq INTEGER NOT NULL DEFAULT 0;
-- What a pending session waits for: the host to wake, its port to answer, the router to open.
ALTER TABLE access_sessions ADD COLUMN step TEXT CHECK (step IN ('waking', 'waiting', 'opening'));
CREATE INDEX access_sessions_changed ON access_sessions (changed_seq);

CREATE TRIGGER access_sessions_inserted AFTER INSERT ON access_sessions BEGIN
    UPDATE access_session_changes SET seq = seq + 1 WHERE id = 1;
    UPDATE access_sessions SET changed_seq = (SELECT seq FROM access_session_changes WHERE id = 1) WHERE id = NEW.id;
END;
CREATE TRIGGER access_sessions_updated
AFTER UPDATE OF state, step, client_ip, opened_at_ms, expires_at_ms, finished_at_ms, end_reason ON access_sessions BEGIN
    UPDATE access_session_changes SET seq = seq + 1 WHERE id = 1;
    UPDATE access_sessions SET changed_seq = (SELECT seq FROM access_session_changes WHERE id = 1) WHERE id = NEW.id;
END;

-- How a service is woken before it is opened, as the API's JSON.
ALTER TABLE services ADD COLUMN wake_json TEXT;

-- The keeper looks at what is unfinished every second, router by router, and never at the history.
CREATE INDEX access_sessions_unfinished ON access_sessions (router_id, id) WHERE finished_at_ms IS NULL;
