-- An invitation knows which agent it replaces, and a newer one voids it. Its key is masked with the hub's own key, so
-- that the store alone lets nobody enrol. Tokens of earlier releases cannot be used any more: they are void.
ALTER TABLE invite ADD COLUMN masked_key BLOB;
ALTER TABLE invite ADD COLUMN replaces TEXT;
ALTER TABLE invite ADD COLUMN void INTEGER NOT NULL DEFAULT 0 CHECK (void IN (0, 1));
UPDATE invite SET void = 1 WHERE used_at IS NULL;

-- Who was on the board since when. Rows are only added; the last one of a member counts.
CREATE TABLE board_role (
    id INTEGER PRIMARY KEY,
    member_id TEXT NOT NULL REFERENCES member (id),
    is_board INTEGER NOT NULL CHECK (is_board IN (0, 1)),
    made_at INTEGER NOT NULL
) STRICT;

INSERT INTO board_role (member_id, is_board, made_at) SELECT id, 1, joined_at FROM member WHERE is_board = 1 ORDER BY id;
