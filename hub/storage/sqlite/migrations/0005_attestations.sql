-- What the hub signed of its books, in one chain: day roots, month runs, approvals, publications. Rows are added only.

CREATE TABLE attestation (
    position INTEGER PRIMARY KEY CHECK (position >= 1),
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    run_key TEXT NOT NULL,
    document BLOB NOT NULL,
    signature BLOB NOT NULL CHECK (length(signature) = 64)
) STRICT;

CREATE INDEX attestation_subject ON attestation (kind, subject, position);

-- Each run has one signed day root at most, so a run signed twice would be seen.
CREATE UNIQUE INDEX attestation_root ON attestation (run_key) WHERE kind = 'day-root';

CREATE TRIGGER attestation_is_kept BEFORE DELETE ON attestation
BEGIN SELECT RAISE(ABORT, 'what was signed is never deleted'); END;

CREATE TRIGGER attestation_is_fixed BEFORE UPDATE ON attestation
BEGIN SELECT RAISE(ABORT, 'what was signed is never changed'); END;

-- How far the messages and memberships behind a day's standing run reach. No part of the books: lost, days are read anew.
CREATE TABLE settled_through (
    day TEXT PRIMARY KEY,
    message_position INTEGER NOT NULL,
    members_digest TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A late reading is found by its slot, whenever it came.
DROP INDEX message_received;
CREATE INDEX message_slot ON message (last_slot) WHERE last_slot IS NOT NULL;
