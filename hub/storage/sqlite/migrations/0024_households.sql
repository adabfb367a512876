-- Who lives in a home besides the member who holds its contract. They see the home's pages; the contract's member pays.
-- A member's further home is kept under a membership of its own, which names the member who holds it.
ALTER TABLE member ADD COLUMN held_by TEXT;

CREATE TABLE home_adult (
    home TEXT NOT NULL REFERENCES home (id),
    member TEXT NOT NULL REFERENCES member (id),
    since_at INTEGER NOT NULL,
    PRIMARY KEY (home, member)
) STRICT, WITHOUT ROWID;
