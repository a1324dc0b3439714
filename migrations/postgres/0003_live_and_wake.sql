-- Each change of a session that people see gets a number, so that every instance of the portal
-- can tell what is new. The triggers do it, so that no query can forget to.

-- One row. It is raised before any session is touched: changes wait for each other here, so that
-- their numbers come in the order in which they become visible, and none waits for another twice.
CREATE TABLE access_session_changes (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL
);
INSERT INTO access_session_changes (id, seq) VALUES (1, 0);

ALTER TABLE access_sessions ADD COLUMN changed_seq BIGINT NOT NULL DEFAULT 0;
-- What a pending session waits for: the host to wake, its port to answer, the router to open.
ALTER TABLE access_sessions ADD COLUMN step TEXT CHECK (step IN ('waking', 'waiting', 'opening'));
CREATE INDEX access_sessions_changed ON access_sessions (changed_seq);

CREATE FUNCTION raise_access_session_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE access_session_changes SET seq = seq + 1 WHERE id = 1;
    RETURN NULL;
END
$$;
CREATE FUNCTION number_access_session_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_seq := (SELECT seq FROM access_session_changes WHERE id = 1);
    RETURN NEW;
END
$$;
CREATE TRIGGER access_sessions_change
BEFORE INSERT OR UPDATE OF state, step, client_ip, opened_at_ms, expires_at_ms, finished_at_ms, end_reason ON access_sessions
FOR EACH STATEMENT EXECUTE FUNCTION raise_access_session_changes();
CREATE TRIGGER access_sessions_numbered
BEFORE INSERT OR UPDATE OF state, step, client_ip, opened_at_ms, expires_at_ms, finished_at_ms, end_reason ON access_sessions
FOR EACH ROW EXECUTE FUNCTION number_access_session_change();

-- How a service is woken before it is opened, as the API's JSON.
ALTER TABLE services ADD COLUMN wake_json TEXT;

-- The keeper looks at what is unfinished every second, router by router, and never at the history.
CREATE INDEX access_sessions_unfinished ON access_sessions (router_id, id) WHERE finished_at_ms IS NULL;
