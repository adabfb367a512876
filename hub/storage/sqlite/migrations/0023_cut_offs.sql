-- Agents of which nothing is read any more because they sent far too much, until the board lets them in again.

CREATE TABLE cut_off (
    agent TEXT PRIMARY KEY REFERENCES agent (id),
    at INTEGER NOT NULL,
    messages INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
