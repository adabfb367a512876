-- Which rows the hub wrote, one line each: the digest of the row as it was added, changed or removed. A row that was
-- altered past the hub no longer matches its line. The lines form one chain; the hub signs the head of the chain.

CREATE TABLE row_log (
    position INTEGER PRIMARY KEY CHECK (position >= 1),
    at INTEGER NOT NULL,
    source TEXT NOT NULL,
    row_key TEXT NOT NULL,
    change TEXT NOT NULL CHECK (change IN ('added', 'changed', 'removed', 'taken over', 'form')),
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    says TEXT NOT NULL
) STRICT;

CREATE TRIGGER row_log_is_kept BEFORE DELETE ON row_log
BEGIN SELECT RAISE(ABORT, 'the log of rows is never shortened'); END;

CREATE TRIGGER row_log_is_fixed BEFORE UPDATE ON row_log
BEGIN SELECT RAISE(ABORT, 'the log of rows is never changed'); END;

CREATE TABLE row_log_head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    position INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    signature BLOB NOT NULL
) STRICT;

-- Filled by triggers while a transaction runs and emptied before it is committed: the hub then writes the lines.
CREATE TABLE row_log_waiting (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    row_key TEXT NOT NULL,
    change TEXT NOT NULL,
    content TEXT NOT NULL,
    says TEXT NOT NULL
) STRICT;
