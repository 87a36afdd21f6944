-- A feed is due until its poll is recorded, and polls of one time lie together, so that few pages are written.

DROP INDEX feed_taken;
ALTER TABLE feed DROP COLUMN is_taken;
CREATE TABLE polled (
    slot          INTEGER NOT NULL,         -- used again after as many polls as are kept
    feed_id       INTEGER NOT NULL,         -- no reference: to follow it back was to look at all polls
    at            TEXT NOT NULL,
    status        INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    milliseconds  INTEGER NOT NULL,
    outcome       TEXT NOT NULL,            -- 'read', 'unchanged' or 'failed'
    new_entries   INTEGER NOT NULL,
    edited_entries INTEGER NOT NULL,
    problem       TEXT NOT NULL,
    PRIMARY KEY (slot, feed_id)
) STRICT, WITHOUT ROWID;
INSERT INTO polled SELECT slot, feed_id, at, status, bytes, milliseconds, outcome, new_entries, edited_entries, problem
    FROM poll;
DROP TABLE poll;
ALTER TABLE polled RENAME TO poll;
