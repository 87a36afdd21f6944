-- Numbers of linkbacks are never used again: an operator may have written one down. Posts are found by guid.

CREATE TABLE numbered (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    token         TEXT NOT NULL UNIQUE,
    entry_id      INTEGER NOT NULL REFERENCES entry (id) ON DELETE CASCADE,
    source        TEXT NOT NULL,
    source_key    TEXT NOT NULL,
    source_host   TEXT NOT NULL,
    target        TEXT NOT NULL,
    protocols     TEXT NOT NULL,
    status        TEXT NOT NULL,
    received_at   TEXT NOT NULL,
    asked_at      TEXT NOT NULL,
    settled_at    TEXT,
    next_try_at   TEXT,
    attempts      INTEGER NOT NULL DEFAULT 0,
    problem       TEXT NOT NULL DEFAULT '',
    feed_id       INTEGER REFERENCES feed (id) ON DELETE SET NULL,
    title         TEXT NOT NULL DEFAULT '',
    excerpt       TEXT NOT NULL DEFAULT '["","",""]',
    kind          TEXT NOT NULL DEFAULT '',
    author        TEXT NOT NULL DEFAULT '',
    decision      TEXT NOT NULL DEFAULT '',
    client        TEXT NOT NULL DEFAULT '',
    vouch         TEXT NOT NULL DEFAULT '',
    recheck_at    TEXT,
    checks        INTEGER NOT NULL DEFAULT 0,
    failures      INTEGER NOT NULL DEFAULT 0,
    failing_since TEXT,
    retractions   INTEGER NOT NULL DEFAULT 0,
    UNIQUE (source_key, entry_id)
) STRICT;
INSERT INTO numbered SELECT id, token, entry_id, source, source_key, source_host, target, protocols, status,
    received_at, asked_at, settled_at, next_try_at, attempts, problem, feed_id, title, excerpt, kind, author, decision,
    client, vouch, recheck_at, checks, failures, failing_since, retractions FROM linkback;
DROP TABLE linkback;
ALTER TABLE numbered RENAME TO linkback;
CREATE INDEX linkback_to_verify ON linkback (next_try_at) WHERE status = 'pending';
CREATE INDEX linkback_shown ON linkback (entry_id, received_at) WHERE status = 'published';
CREATE INDEX linkback_of_member ON linkback (feed_id) WHERE feed_id IS NOT NULL;
CREATE INDEX linkback_to_recheck ON linkback (recheck_at) WHERE recheck_at IS NOT NULL;
CREATE INDEX entry_guid ON entry (guid);
