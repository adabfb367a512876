-- What was found wrong with readings and what the board decided on it. Rows are added only: together they are the log.

CREATE TABLE finding (
    id INTEGER PRIMARY KEY CHECK (id >= 1),
    home TEXT NOT NULL REFERENCES home (id),
    day TEXT NOT NULL,
    code TEXT NOT NULL,
    measure INTEGER NOT NULL,
    first_slot INTEGER NOT NULL,
    slots INTEGER NOT NULL CHECK (slots >= 1),
    severity TEXT NOT NULL CHECK (severity IN ('note', 'check', 'hold')),
    numbers TEXT NOT NULL,
    sentence TEXT NOT NULL,
    found_at INTEGER NOT NULL
) STRICT;

CREATE INDEX finding_day ON finding (day);
CREATE INDEX finding_home ON finding (home, day);

CREATE TABLE finding_closed (
    finding INTEGER PRIMARY KEY REFERENCES finding (id),
    reason TEXT NOT NULL,
    closed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE finding_decision (
    id INTEGER PRIMARY KEY CHECK (id >= 1),
    finding INTEGER NOT NULL REFERENCES finding (id),
    board_member TEXT NOT NULL REFERENCES member (id),
    verdict TEXT NOT NULL CHECK (verdict IN ('accept', 'reject', 'estimate')),
    reason TEXT NOT NULL,
    decided_at INTEGER NOT NULL
) STRICT;

CREATE INDEX finding_decision_of ON finding_decision (finding);

-- Hints, not part of the log: up to which message a day was looked at, and up to which decision it was settled.
CREATE TABLE looked_through (
    day TEXT PRIMARY KEY,
    message_position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE settled_through ADD COLUMN decision INTEGER NOT NULL DEFAULT 0;

CREATE TRIGGER finding_is_kept BEFORE DELETE ON finding
BEGIN SELECT RAISE(ABORT, 'a finding is never deleted'); END;

CREATE TRIGGER finding_is_fixed BEFORE UPDATE ON finding
BEGIN SELECT RAISE(ABORT, 'a finding is never changed'); END;

CREATE TRIGGER finding_closed_is_kept BEFORE DELETE ON finding_closed
BEGIN SELECT RAISE(ABORT, 'the closing of a finding is never deleted'); END;

CREATE TRIGGER finding_closed_is_fixed BEFORE UPDATE ON finding_closed
BEGIN SELECT RAISE(ABORT, 'the closing of a finding is never changed'); END;

CREATE TRIGGER finding_decision_is_kept BEFORE DELETE ON finding_decision
BEGIN SELECT RAISE(ABORT, 'a decision is never deleted'); END;

CREATE TRIGGER finding_decision_is_fixed BEFORE UPDATE ON finding_decision
BEGIN SELECT RAISE(ABORT, 'a decision is never changed'); END;
