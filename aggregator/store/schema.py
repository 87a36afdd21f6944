"""The tables, as migrations. A released migration is never edited; a new one is added below."""

from __future__ import annotations

import re

from sqlite_utils import Database, Migrations

migrations = Migrations("planet")
_COMMENT = re.compile(r"--[^\n]*")


@migrations()
def m001_first_planet(database: Database) -> None:
    """Feeds, entries, linkbacks, and what has been published of them."""
    _run(database, _FIRST)


@migrations()
def m002_poll_history(database: Database) -> None:
    """Where feeds have moved, how they sound, how their polls went; entries under several names, and gone ones."""
    _run(database, _SECOND)


@migrations()
def m003_linkbacks(database: Database) -> None:
    """Linkbacks that are looked at again, moderation, links between posts, and blogs that say they changed."""
    _run(database, _LINKBACKS)


@migrations()
def m004_numbers_that_stay(database: Database) -> None:
    """Numbers of linkbacks are never used again: an operator may have written one down. Posts are found by guid."""
    _run(database, _NUMBERS)


@migrations()
def m005_pages(database: Database) -> None:
    """What pages beside the river need: a search index, links, topics, numbered pages, faces."""
    _run(database, _PAGES)
    # A purged text must leave the index in the same transaction.
    database.execute(
        "CREATE TRIGGER entry_unindexed AFTER DELETE ON entry BEGIN DELETE FROM search WHERE rowid = old.id; END"
    )


@migrations()
def m006_operators(database: Database) -> None:
    """What the jobs count, and what operators have been told already."""
    _run(database, _OPERATORS)


@migrations()
def m007_push(database: Database) -> None:
    """What feeds offer beside being polled, what hubs were asked for, what they have sent; how news arrives."""
    _run(database, _PUSH)


@migrations()
def m008_what_is_over(database: Database) -> None:
    """Linkbacks that were rejected or retracted are found by when that was, and hosts that rest by their name."""
    _run(database, _OVER)


@migrations()
def m009_lighter_polls(database: Database) -> None:
    """A feed is due until its poll is recorded, and polls of one time lie together, so that few pages are written."""
    _run(database, _LIGHTER_POLLS)


@migrations()
def m010_posts_to_link(database: Database) -> None:
    """Posts whose links are to be read are listed: to note it in their rows was to write their texts again."""
    _run(database, _TO_LINK)


@migrations()
def m011_texts_last(database: Database) -> None:
    """A post's texts come last in its row: whatever lies behind a long text is read through all of its pages."""
    _run(database, _TEXTS_LAST)


@migrations()
def m012_linkbacks_of_a_post(database: Database) -> None:
    """The linkbacks of a post that goes are found, whatever has become of them: else all there are were looked at."""
    _run(database, "CREATE INDEX linkback_of_entry ON linkback (entry_id)")


@migrations()
def m013_large_archives(database: Database) -> None:
    """What a poll asks of a blog's archive is read from indexes: its rows lie all over a large database."""
    _run(database, _ARCHIVES)


def _run(database: Database, statements: str) -> None:
    for statement in _COMMENT.sub("", statements).split(";"):
        if statement.strip():
            database.execute(statement)


_LIGHTER_POLLS = """
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
"""
_TO_LINK = """
CREATE TABLE to_link (
    entry_id      INTEGER PRIMARY KEY REFERENCES entry (id) ON DELETE CASCADE,
    content_hash  BLOB NOT NULL             -- the content whose links are not known
) STRICT;
INSERT INTO to_link SELECT id, content_hash FROM entry INDEXED BY entry_to_link WHERE linked_hash <> content_hash;
DROP INDEX entry_to_link;
ALTER TABLE entry DROP COLUMN linked_hash;
"""
_TEXTS_LAST = """
ALTER TABLE entry ADD COLUMN beginning TEXT NOT NULL DEFAULT '';
ALTER TABLE entry ADD COLUMN body TEXT NOT NULL DEFAULT '';
UPDATE entry SET beginning = lede, body = html;
ALTER TABLE entry DROP COLUMN lede;
ALTER TABLE entry DROP COLUMN html;
ALTER TABLE entry RENAME COLUMN beginning TO lede;
ALTER TABLE entry RENAME COLUMN body TO html;
"""
_ARCHIVES = """
CREATE INDEX entry_known ON entry (feed_id, guid, content_hash);
CREATE INDEX entry_written ON entry (feed_id, coalesce(published_at, updated_at));
CREATE INDEX entry_doubtful ON entry (feed_id, guid) WHERE first_seen_at < coalesce(published_at, updated_at, 'x');
CREATE INDEX entry_lost ON entry (feed_id) WHERE missing_at IS NOT NULL;
CREATE INDEX entry_content ON entry (content_hash) WHERE url_key = '';
DROP INDEX entry_url;
CREATE INDEX entry_url ON entry (url_key, feed_id, content_hash);
DROP INDEX entry_fingerprint;
CREATE INDEX entry_fingerprint ON entry (fingerprint, feed_id) WHERE fingerprint <> x'';
"""
_OVER = """
CREATE INDEX feed_stay_away ON feed (host) WHERE stay_away_until IS NOT NULL;
CREATE INDEX linkback_over ON linkback (settled_at) WHERE status IN ('rejected', 'retracted');
"""

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

_SECOND = """
ALTER TABLE feed ADD COLUMN include TEXT NOT NULL DEFAULT '[]';
ALTER TABLE feed ADD COLUMN exclude TEXT NOT NULL DEFAULT '[]';
ALTER TABLE feed ADD COLUMN address TEXT NOT NULL DEFAULT '';       -- where it is fetched, if not at its url
ALTER TABLE feed ADD COLUMN address_why TEXT NOT NULL DEFAULT '';   -- 'moved' or 'found'
ALTER TABLE feed ADD COLUMN moved_to TEXT NOT NULL DEFAULT '';      -- where permanent redirects lead
ALTER TABLE feed ADD COLUMN moved_at TEXT;                          -- and since when
ALTER TABLE feed ADD COLUMN gone_at TEXT;                           -- its first 410
ALTER TABLE feed ADD COLUMN retired_at TEXT;                        -- a second one on another day
ALTER TABLE feed ADD COLUMN stay_away_until TEXT;                   -- Retry-After
ALTER TABLE feed ADD COLUMN quiet TEXT NOT NULL DEFAULT '';         -- JSON: skipHours and skipDays; empty: none
ALTER TABLE feed ADD COLUMN quarantine TEXT NOT NULL DEFAULT '';    -- why nothing new of it is shown; empty: none
ALTER TABLE feed ADD COLUMN voice TEXT NOT NULL DEFAULT '';         -- JSON: by what it is recognised
ALTER TABLE feed ADD COLUMN posted_at TEXT;                         -- of its newest post
ALTER TABLE feed ADD COLUMN posts_every INTEGER;                    -- seconds between its newest posts
ALTER TABLE feed ADD COLUMN polls INTEGER NOT NULL DEFAULT 0;       -- how many there have been
ALTER TABLE entry ADD COLUMN fingerprint BLOB NOT NULL DEFAULT x''; -- of its words; empty: too few
ALTER TABLE entry ADD COLUMN enclosures TEXT NOT NULL DEFAULT '[]'; -- JSON
ALTER TABLE entry ADD COLUMN comments_feed TEXT NOT NULL DEFAULT '';
ALTER TABLE entry ADD COLUMN comments INTEGER;                      -- how many, as its feed says
ALTER TABLE entry ADD COLUMN story_of INTEGER REFERENCES entry (id) ON DELETE SET NULL;
ALTER TABLE entry ADD COLUMN missing_at TEXT;                       -- since when its feed holds it no more
ALTER TABLE entry ADD COLUMN checked_at TEXT;                       -- when its page was last looked at therefore
CREATE INDEX entry_fingerprint ON entry (fingerprint) WHERE fingerprint <> x'';
CREATE INDEX entry_story ON entry (story_of) WHERE story_of IS NOT NULL;
CREATE INDEX entry_missing ON entry (missing_at) WHERE missing_at IS NOT NULL;
CREATE TABLE alias (
    feed_id       INTEGER NOT NULL REFERENCES feed (id) ON DELETE CASCADE,
    guid          TEXT NOT NULL,            -- another name of an entry
    url_key       TEXT NOT NULL,            -- another address of it, as compared
    entry_id      INTEGER NOT NULL REFERENCES entry (id) ON DELETE CASCADE,
    why           TEXT NOT NULL,
    made_at       TEXT NOT NULL,
    PRIMARY KEY (feed_id, guid)
) STRICT, WITHOUT ROWID;
CREATE INDEX alias_entry ON alias (entry_id);
CREATE INDEX alias_url ON alias (url_key);
CREATE TABLE tombstone (
    digest        BLOB PRIMARY KEY,         -- of a purged entry's names, salted: it tells nothing of them
    buried_at     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE poll (
    feed_id       INTEGER NOT NULL REFERENCES feed (id) ON DELETE CASCADE,
    slot          INTEGER NOT NULL,         -- used again after as many polls as are kept
    at            TEXT NOT NULL,
    status        INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    milliseconds  INTEGER NOT NULL,
    outcome       TEXT NOT NULL,            -- 'read', 'unchanged' or 'failed'
    new_entries   INTEGER NOT NULL,
    edited_entries INTEGER NOT NULL,
    problem       TEXT NOT NULL,
    PRIMARY KEY (feed_id, slot)
) STRICT, WITHOUT ROWID;
INSERT INTO note VALUES ('salt', lower(hex(randomblob(16))));
DROP INDEX feed_due;
CREATE INDEX feed_due ON feed (next_poll_at) WHERE enabled AND removed_at IS NULL AND retired_at IS NULL;
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
DROP INDEX linkback_of_member;
CREATE INDEX linkback_of_member ON linkback (feed_id) WHERE feed_id IS NOT NULL;
CREATE INDEX linkback_to_recheck ON linkback (recheck_at) WHERE recheck_at IS NOT NULL;
UPDATE linkback SET recheck_at = settled_at WHERE status IN ('published', 'held');
-- when its blog last said that it changed
ALTER TABLE feed ADD COLUMN pinged_at TEXT;
-- the content whose links are known
ALTER TABLE entry ADD COLUMN linked_hash BLOB NOT NULL DEFAULT x'';
CREATE INDEX entry_to_link ON entry (id) WHERE linked_hash <> content_hash;
-- when its comment feed may be asked next, and the validators of the last answer
ALTER TABLE entry ADD COLUMN comments_at TEXT NOT NULL DEFAULT '';
ALTER TABLE entry ADD COLUMN comments_etag TEXT NOT NULL DEFAULT '';
ALTER TABLE entry ADD COLUMN comments_modified TEXT NOT NULL DEFAULT '';
CREATE INDEX entry_comments ON entry (comments_at) WHERE comments_feed <> '' AND hidden = '';
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

_NUMBERS = """
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
"""

_PAGES = """
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
"""

_OPERATORS = """
CREATE TABLE metric (
    name          TEXT NOT NULL,
    label         TEXT NOT NULL,            -- an outcome, a status, the bound of a bucket; empty: none
    value         REAL NOT NULL,            -- since the planet began
    PRIMARY KEY (name, label)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_to_expire ON entry (shown_at) WHERE hidden <> 'older than [keep] entries in feeds.toml';
CREATE TABLE told (
    channel       TEXT NOT NULL,            -- 'mail' or 'webhook'
    what          TEXT NOT NULL,            -- 'broken', 'moved' …
    about         TEXT NOT NULL,            -- a feed's url; empty: linkbacks that wait
    at            TEXT NOT NULL,
    PRIMARY KEY (channel, what, about)
) STRICT, WITHOUT ROWID;
CREATE TABLE reader (
    address       TEXT PRIMARY KEY,
    token         TEXT NOT NULL UNIQUE,     -- random: names the pages on which to confirm and to leave
    asked_at      TEXT NOT NULL,
    confirmed_at  TEXT,
    mail_due      INTEGER NOT NULL,         -- 1: the mail that asks to confirm is to be sent
    mails         INTEGER NOT NULL DEFAULT 0, -- of these, how many were
    refusals      INTEGER NOT NULL DEFAULT 0 -- issues in a row that the address did not take
) STRICT, WITHOUT ROWID;
CREATE TABLE issue (
    name          TEXT PRIMARY KEY,
    begun_at      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE delivery (
    address       TEXT NOT NULL REFERENCES reader (address) ON DELETE CASCADE,
    issue         TEXT NOT NULL,
    state         TEXT NOT NULL,            -- 'due', 'taken', 'sent', 'refused' or 'given up'
    attempts      INTEGER NOT NULL,
    next_at       TEXT NOT NULL,
    PRIMARY KEY (address, issue)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_due ON delivery (issue, next_at) WHERE state = 'due';
"""

_PUSH = """
ALTER TABLE feed ADD COLUMN offers TEXT NOT NULL DEFAULT '';        -- JSON: topic, hubs, cloud; empty: none
ALTER TABLE feed ADD COLUMN ask_at TEXT;                            -- when a hub or cloud is to be asked next
ALTER TABLE feed ADD COLUMN ask_failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE feed ADD COLUMN ask_problem TEXT NOT NULL DEFAULT '';
ALTER TABLE feed ADD COLUMN hint TEXT NOT NULL DEFAULT '';          -- 'push' or 'ping': what says that it has changed
ALTER TABLE feed ADD COLUMN hinted_at TEXT;                         -- when it last was, or will be, polled for that
ALTER TABLE feed ADD COLUMN trusted_at TEXT;                        -- since when its pushes are relied on
ALTER TABLE feed ADD COLUMN news_by TEXT NOT NULL DEFAULT '';       -- how its newest post came
ALTER TABLE feed ADD COLUMN news_lag REAL;                          -- seconds from its publication until then
CREATE INDEX feed_to_ask ON feed (ask_at) WHERE ask_at IS NOT NULL;
CREATE TABLE subscription (
    id            INTEGER PRIMARY KEY,
    feed_id       INTEGER NOT NULL REFERENCES feed (id) ON DELETE CASCADE,
    protocol      TEXT NOT NULL,            -- 'websub' or 'rsscloud'
    token         TEXT NOT NULL UNIQUE,     -- random: names its callback
    topic         TEXT NOT NULL,
    hub           TEXT NOT NULL,
    callback      TEXT NOT NULL,
    secret        TEXT NOT NULL,            -- empty: pushes can't be believed
    state         TEXT NOT NULL,            -- 'asked', 'active' or 'leaving'
    attempts      INTEGER NOT NULL DEFAULT 0, -- at leaving
    next_at       TEXT NOT NULL             -- active: its end; leaving: when that is said next
) STRICT;
CREATE INDEX subscription_of_feed ON subscription (feed_id, state);
CREATE INDEX subscription_next ON subscription (state, next_at);
CREATE INDEX subscription_topic ON subscription (topic) WHERE protocol = 'rsscloud';
CREATE TABLE pushed (
    id            INTEGER PRIMARY KEY,
    subscription_id INTEGER NOT NULL REFERENCES subscription (id) ON DELETE CASCADE,
    digest        BLOB NOT NULL,            -- a push that comes again is none
    received_at   TEXT NOT NULL,
    content_type  TEXT NOT NULL,
    body          BLOB,                     -- until it is read
    UNIQUE (subscription_id, digest)
) STRICT;
CREATE INDEX pushed_waiting ON pushed (subscription_id) WHERE body IS NOT NULL;
"""
