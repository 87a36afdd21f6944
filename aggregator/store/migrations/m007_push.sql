-- What feeds offer beside being polled, what hubs were asked for, what they have sent; how news arrives.

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
