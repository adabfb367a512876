-- An invitation knows which agent it replaces, and a newer one voids it. Its key is masked with the hub's own key, so
-- that the store alone lets nobody enrol. Tokens of earlier releases cannot be used any more: they are void.
ALTER TABLE invite ADD COLUMN masked_key BLOB;
ALTER TABLE invite ADD COLUMN replaces TEXT;
ALTER TABLE invite ADD COLUMN void INTEGER NOT NULL DEFAULT 0 CHECK (void IN (0, 1));
UPDATE invite SET void = 1 WHERE used_at IS NULL;
