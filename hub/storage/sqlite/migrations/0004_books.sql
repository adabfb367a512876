-- The books: rulebook versions, settlement runs and the append-only ledger. Rows are added, never changed.

CREATE TABLE rule (
    position INTEGER PRIMARY KEY,
    hash TEXT NOT NULL,
    canonical BLOB NOT NULL,
    valid_from_day TEXT NOT NULL,
    UNIQUE (hash, valid_from_day)
) STRICT;

CREATE TABLE run (
    position INTEGER PRIMARY KEY,
    run_key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    day TEXT NOT NULL,
    rule_hash TEXT NOT NULL,
    input_digest TEXT NOT NULL,
    result_hash TEXT NOT NULL,
    state TEXT NOT NULL,
    allocation BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    entries INTEGER NOT NULL
) STRICT;

CREATE INDEX run_day ON run (day, position);

CREATE TABLE entry (
    position INTEGER PRIMARY KEY CHECK (position >= 1),
    unit TEXT NOT NULL,
    day TEXT NOT NULL,
    member TEXT NOT NULL,
    run_key TEXT NOT NULL REFERENCES run (run_key),
    canonical BLOB NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE INDEX entry_day ON entry (day, position);
CREATE INDEX entry_member ON entry (member, day, position);

CREATE TRIGGER entry_is_kept BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TRIGGER entry_is_fixed BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TRIGGER run_is_kept BEFORE DELETE ON run
BEGIN SELECT RAISE(ABORT, 'a settlement run is never deleted'); END;

CREATE TRIGGER run_is_fixed BEFORE UPDATE ON run
BEGIN SELECT RAISE(ABORT, 'a settlement run is never changed'); END;
