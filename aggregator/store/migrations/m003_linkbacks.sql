-- Linkbacks that are looked at again, moderation, links between posts, and blogs that say they changed.

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
