-- When a membership ended, the first second after its last day; NULL while it lasts. A home that takes another's place
-- at the same grid connection is a home of its own and names the earlier one: nothing of the earlier one passes to it.
ALTER TABLE member ADD COLUMN left_at INTEGER;
ALTER TABLE home ADD COLUMN follows TEXT;
