-- Posts whose links are to be read are listed: to note it in their rows was to write their texts again.

CREATE TABLE to_link (
    entry_id      INTEGER PRIMARY KEY REFERENCES entry (id) ON DELETE CASCADE,
    content_hash  BLOB NOT NULL             -- the content whose links are not known
) STRICT;
INSERT INTO to_link SELECT id, content_hash FROM entry INDEXED BY entry_to_link WHERE linked_hash <> content_hash;
DROP INDEX entry_to_link;
ALTER TABLE entry DROP COLUMN linked_hash;
