-- What a poll asks of a blog's archive is read from indexes: its rows lie all over a large database.

CREATE INDEX entry_known ON entry (feed_id, guid, content_hash);
CREATE INDEX entry_written ON entry (feed_id, coalesce(published_at, updated_at));
CREATE INDEX entry_doubtful ON entry (feed_id, guid) WHERE first_seen_at < coalesce(published_at, updated_at, 'x');
CREATE INDEX entry_lost ON entry (feed_id) WHERE missing_at IS NOT NULL;
CREATE INDEX entry_content ON entry (content_hash) WHERE url_key = '';
DROP INDEX entry_url;
CREATE INDEX entry_url ON entry (url_key, feed_id, content_hash);
DROP INDEX entry_fingerprint;
CREATE INDEX entry_fingerprint ON entry (fingerprint, feed_id) WHERE fingerprint <> x'';
