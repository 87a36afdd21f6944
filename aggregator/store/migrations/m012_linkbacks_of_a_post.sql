-- The linkbacks of a post that goes are found, whatever has become of them: else all there are were looked at.

CREATE INDEX linkback_of_entry ON linkback (entry_id);
