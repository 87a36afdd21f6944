-- Linkbacks that were rejected or retracted are found by when that was, and hosts that rest by their name.

CREATE INDEX feed_stay_away ON feed (host) WHERE stay_away_until IS NOT NULL;
CREATE INDEX linkback_over ON linkback (settled_at) WHERE status IN ('rejected', 'retracted');
