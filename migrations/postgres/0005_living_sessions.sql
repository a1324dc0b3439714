-- Limits are counted at every click, and lists of what is open drawn with every page. Beside the
-- index of a whole history SQLite takes that of the living rows only where it answers more of the
-- question, so what is always NULL in it is a column of it.
DROP INDEX access_sessions_live_user;
CREATE INDEX access_sessions_living_user ON access_sessions (user_id, finished_at_ms, id) WHERE finished_at_ms IS NULL;
CREATE INDEX access_sessions_living_service ON access_sessions (service_id, finished_at_ms, id) WHERE finished_at_ms IS NULL;
