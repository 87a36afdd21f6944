-- What the jobs count, and what operators have been told already.

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
