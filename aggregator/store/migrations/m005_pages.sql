-- What pages beside the river need: a search index, links, topics, numbered pages, faces.

-- of a stale post: where it stands or stood, for the pages beside its own
ALTER TABLE stale ADD COLUMN feed_id INTEGER;
ALTER TABLE stale ADD COLUMN shown_at TEXT;
CREATE VIRTUAL TABLE search USING fts5 (
    title, text, tags, links, marks, hash UNINDEXED, tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TABLE cited (
    entry_id      INTEGER NOT NULL REFERENCES entry (id) ON DELETE CASCADE,
    url_key       TEXT NOT NULL,
    url           TEXT NOT NULL,
    words         TEXT NOT NULL,            -- that link
    PRIMARY KEY (entry_id, url_key)
) STRICT, WITHOUT ROWID;
CREATE TABLE topic (
    id            INTEGER PRIMARY KEY,
    slug          TEXT NOT NULL UNIQUE,
    expression    TEXT NOT NULL,            -- of the search index
    begins_at     TEXT NOT NULL,
    ends_at       TEXT NOT NULL
) STRICT;
-- no foreign keys: what a post belonged to must be known after it is gone
CREATE TABLE gathered (
    topic_id      INTEGER NOT NULL,
    entry_id      INTEGER NOT NULL,
    PRIMARY KEY (topic_id, entry_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX gathered_entry ON gathered (entry_id);
-- pages of the river, numbered from the oldest
CREATE TABLE chapter (
    number        INTEGER PRIMARY KEY,
    first_at      TEXT NOT NULL
) STRICT;
CREATE INDEX chapter_at ON chapter (first_at);
-- of which conversation, and of how many posts, a published page tells
CREATE TABLE talk (
    entry_id      INTEGER PRIMARY KEY,
    conversation  INTEGER NOT NULL,
    posts         INTEGER NOT NULL
) STRICT;
CREATE INDEX talk_conversation ON talk (conversation);
CREATE INDEX entry_of_blog ON entry (feed_id, shown_at DESC, id DESC) WHERE hidden = '';
CREATE INDEX linkback_by_time ON linkback (received_at) WHERE status = 'published';
-- pictures of blogs: where the operator or the feed says they are, and what came of asking
ALTER TABLE feed ADD COLUMN face TEXT NOT NULL DEFAULT '';
ALTER TABLE feed ADD COLUMN icon TEXT NOT NULL DEFAULT '';
CREATE TABLE face (
    feed_id       INTEGER PRIMARY KEY REFERENCES feed (id) ON DELETE CASCADE,
    url           TEXT NOT NULL,
    name          TEXT NOT NULL,            -- of its file; empty: there is no picture
    image         BLOB NOT NULL,
    next_at       TEXT NOT NULL
) STRICT;
-- A purged text must leave the index in the same transaction.
CREATE TRIGGER entry_unindexed AFTER DELETE ON entry BEGIN DELETE FROM search WHERE rowid = old.id; END;
