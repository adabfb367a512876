-- Mail to members: what waits and what became of it, what members chose, and addresses that refuse mail. A secret, such
-- as an invitation's token, is sealed with the hub's key and deleted once its notice is settled.

CREATE TABLE notice (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    member TEXT NOT NULL REFERENCES member (id),
    about TEXT NOT NULL,
    facts TEXT NOT NULL,
    secret BLOB,
    made_at INTEGER NOT NULL,
    last_try_at INTEGER NOT NULL,
    next_try_at INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL,
    settled_at INTEGER,
    answer TEXT NOT NULL DEFAULT '',
    UNIQUE (kind, member, about)
) STRICT;

CREATE INDEX notice_waiting ON notice (next_try_at) WHERE settled_at IS NULL;

CREATE TABLE mail_bounce (
    address TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    answer TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE notice_choice (
    member TEXT NOT NULL REFERENCES member (id),
    kind TEXT NOT NULL,
    is_on INTEGER NOT NULL CHECK (is_on IN (0, 1)),
    made_by TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    PRIMARY KEY (member, kind)
) STRICT, WITHOUT ROWID;
