-- Feeds, entries, linkbacks, and what has been published of them.

CREATE TABLE feed (
    id            INTEGER PRIMARY KEY,
    url           TEXT NOT NULL UNIQUE,
    host          TEXT NOT NULL,
    slug          TEXT NOT NULL UNIQUE,
    site          TEXT NOT NULL,            -- the operator's; may be empty
    territory     TEXT NOT NULL,            -- pages under it are this member's own
    territory_host TEXT NOT NULL,
    name          TEXT NOT NULL,            -- the operator's; empty: the feed's title
    author        TEXT NOT NULL,
    tags          TEXT NOT NULL,            -- JSON array
    content       TEXT,                     -- 'full', 'excerpt', or as the planet says
    every         INTEGER,                  -- seconds, or as the planet says
    enabled       INTEGER NOT NULL,         -- 0: known, not polled
    removed_at    TEXT,                     -- no longer in feeds.toml
    title         TEXT NOT NULL DEFAULT '',
    home          TEXT NOT NULL DEFAULT '', -- what the feed links to: shown, never believed
    etag          TEXT NOT NULL DEFAULT '',
    last_modified TEXT NOT NULL DEFAULT '',
    body_hash     BLOB NOT NULL DEFAULT x'',
    next_poll_at  TEXT NOT NULL,
    is_taken      INTEGER NOT NULL DEFAULT 0, -- by a poll that is under way
    last_poll_at  TEXT,
    last_good_at  TEXT,
    failing_since TEXT,
    asked_for     INTEGER NOT NULL DEFAULT 0, -- seconds between polls, as the feed itself says
    status        INTEGER NOT NULL DEFAULT 0,
    failures      INTEGER NOT NULL DEFAULT 0,
    problem       TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX feed_due ON feed (next_poll_at) WHERE enabled AND removed_at IS NULL;
CREATE INDEX feed_taken ON feed (is_taken) WHERE is_taken;
CREATE INDEX feed_host ON feed (host) WHERE enabled AND removed_at IS NULL;
CREATE INDEX feed_territory ON feed (territory_host) WHERE removed_at IS NULL;
CREATE TABLE entry (
    id            INTEGER PRIMARY KEY,
    feed_id       INTEGER NOT NULL REFERENCES feed (id) ON DELETE CASCADE,
    guid          TEXT NOT NULL,
    url           TEXT NOT NULL,
    url_key       TEXT NOT NULL,            -- canonical, for finding a ping's target
    slug          TEXT NOT NULL,            -- frozen when first stored
    title         TEXT NOT NULL,
    author        TEXT NOT NULL,
    html          TEXT NOT NULL,            -- sanitised
    lede          TEXT NOT NULL,
    words         INTEGER NOT NULL,
    language      TEXT NOT NULL,
    tags          TEXT NOT NULL,            -- JSON array
    published_at  TEXT,
    updated_at    TEXT,
    first_seen_at TEXT NOT NULL,
    shown_at      TEXT NOT NULL,            -- its place in the river
    hidden        TEXT NOT NULL DEFAULT '', -- why it isn't shown; empty: it is
    content_hash  BLOB NOT NULL,
    UNIQUE (feed_id, guid)
) STRICT;
CREATE INDEX entry_river ON entry (shown_at DESC, id DESC) WHERE hidden = '';
CREATE INDEX entry_url ON entry (url_key);
CREATE TABLE linkback (
    id            INTEGER PRIMARY KEY,
    token         TEXT NOT NULL UNIQUE,     -- random: names the status page
    entry_id      INTEGER NOT NULL REFERENCES entry (id) ON DELETE CASCADE,
    source        TEXT NOT NULL,
    source_key    TEXT NOT NULL,
    source_host   TEXT NOT NULL,
    target        TEXT NOT NULL,
    protocols     TEXT NOT NULL,            -- JSON array, in order of arrival
    status        TEXT NOT NULL,
    received_at   TEXT NOT NULL,
    asked_at      TEXT NOT NULL,            -- when its sender last said so
    settled_at    TEXT,
    next_try_at   TEXT,
    attempts      INTEGER NOT NULL DEFAULT 0,
    problem       TEXT NOT NULL DEFAULT '',
    feed_id       INTEGER REFERENCES feed (id) ON DELETE SET NULL, -- the member it comes from
    title         TEXT NOT NULL DEFAULT '',
    excerpt       TEXT NOT NULL DEFAULT '["","",""]',
    UNIQUE (source_key, entry_id)
) STRICT;
CREATE INDEX linkback_to_verify ON linkback (next_try_at) WHERE status = 'pending';
CREATE INDEX linkback_shown ON linkback (entry_id, received_at) WHERE status = 'published';
CREATE INDEX linkback_of_member ON linkback (feed_id);
CREATE TABLE page (
    path          TEXT PRIMARY KEY,
    digest        BLOB NOT NULL,
    generation    INTEGER NOT NULL          -- of the publish that last changed it
) STRICT, WITHOUT ROWID;
CREATE INDEX page_generation ON page (generation);
CREATE TABLE stale (
    kind          TEXT NOT NULL,            -- 'post' or 'river'
    id            INTEGER NOT NULL,
    change        INTEGER NOT NULL,         -- grows: a later change outlives an earlier publish
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE counter (
    name          TEXT PRIMARY KEY,
    value         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE note (
    name          TEXT PRIMARY KEY,
    value         TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counter VALUES ('generation', 0), ('change', 0);
