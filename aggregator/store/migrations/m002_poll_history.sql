-- Where feeds have moved, how they sound, how their polls went; entries under several names, and gone ones.

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
