-- Who is in the co-op: members, homes, agents, and the hashes of one-time secrets. No secret stands here in clear.

CREATE TABLE coop (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    tz TEXT NOT NULL,
    currency TEXT NOT NULL
) STRICT;

CREATE TABLE member (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    language TEXT NOT NULL,
    is_board INTEGER NOT NULL CHECK (is_board IN (0, 1)),
    joined_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE home (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    member_id TEXT NOT NULL UNIQUE REFERENCES member (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE agent (
    id TEXT PRIMARY KEY,
    home_id TEXT NOT NULL REFERENCES home (id),
    shard INTEGER NOT NULL,
    public_key BLOB NOT NULL UNIQUE CHECK (length(public_key) = 32),
    enrolled_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

-- A home speaks through one agent at a time, so that none of its readings can count twice.
CREATE UNIQUE INDEX agent_live ON agent (home_id) WHERE revoked_at IS NULL;

CREATE TABLE invite (
    token_hash BLOB PRIMARY KEY,
    home_id TEXT NOT NULL REFERENCES home (id),
    expires_at INTEGER NOT NULL,
    used_at INTEGER,
    agent_id TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE sign_in (
    link_hash BLOB PRIMARY KEY,
    member_id TEXT NOT NULL REFERENCES member (id),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    session_hash BLOB PRIMARY KEY,
    member_id TEXT NOT NULL REFERENCES member (id),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
