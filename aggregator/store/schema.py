"""The tables, as migrations. A released migration is never edited; a new one is added below."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("planet")


@migrations()
def m001_first_planet(database: Database) -> None:
    """Feeds, entries, linkbacks, and what has been published of them."""
    _run(database, _FIRST)


@migrations()
def m003_linkbacks(database: Database) -> None:
    """Linkbacks that are looked at again, moderation, links between posts, and blogs that say they changed."""
    _run(database, _LINKBACKS)


def _run(database: Database, statements: str) -> None:
    for statement in statements.split(";\n"):
        if statement.strip():
            database.execute(statement)


_FIRST = """
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
"""

_LINKBACKS = """
-- what the page calls its link: 'reply', 'like' …
ALTER TABLE linkback ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE linkback ADD COLUMN author TEXT NOT NULL DEFAULT '';
-- the operator's: 'approved', 'hidden' or none
ALTER TABLE linkback ADD COLUMN decision TEXT NOT NULL DEFAULT '';
-- who sent it, until it is verified
ALTER TABLE linkback ADD COLUMN client TEXT NOT NULL DEFAULT '';
-- a page that speaks for the source
ALTER TABLE linkback ADD COLUMN vouch TEXT NOT NULL DEFAULT '';
-- when a link that was found is looked at again
ALTER TABLE linkback ADD COLUMN recheck_at TEXT;
-- how often it was found
ALTER TABLE linkback ADD COLUMN checks INTEGER NOT NULL DEFAULT 0;
ALTER TABLE linkback ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE linkback ADD COLUMN failing_since TEXT;
ALTER TABLE linkback ADD COLUMN retractions INTEGER NOT NULL DEFAULT 0;
CREATE INDEX linkback_to_recheck ON linkback (recheck_at) WHERE recheck_at IS NOT NULL;
UPDATE linkback SET recheck_at = settled_at WHERE status IN ('published', 'held');
-- when its blog last said that it changed
ALTER TABLE feed ADD COLUMN pinged_at TEXT;
-- the content whose links are known
ALTER TABLE entry ADD COLUMN linked_hash BLOB NOT NULL DEFAULT x'';
CREATE INDEX entry_to_link ON entry (id) WHERE linked_hash <> content_hash;
CREATE TABLE outlink (
    entry_id      INTEGER NOT NULL REFERENCES entry (id) ON DELETE CASCADE,
    target_key    TEXT NOT NULL,
    target        TEXT NOT NULL,
    excerpt       TEXT NOT NULL,
    PRIMARY KEY (entry_id, target_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX outlink_target ON outlink (target_key);
CREATE TABLE block (
    pattern       TEXT PRIMARY KEY,         -- a host, or a prefix of addresses
    added_at      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE allow (
    host          TEXT PRIMARY KEY,         -- its links are published as soon as they are found
    added_at      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""
