-- A post's texts come last in its row: whatever lies behind a long text is read through all of its pages.

ALTER TABLE entry ADD COLUMN beginning TEXT NOT NULL DEFAULT '';
ALTER TABLE entry ADD COLUMN body TEXT NOT NULL DEFAULT '';
UPDATE entry SET beginning = lede, body = html;
ALTER TABLE entry DROP COLUMN lede;
ALTER TABLE entry DROP COLUMN html;
ALTER TABLE entry RENAME COLUMN beginning TO lede;
ALTER TABLE entry RENAME COLUMN body TO html;
