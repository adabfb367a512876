-- What members object to on their statements and what the board decided. Rows are added only: together they are the log.

CREATE TABLE objection (
    id INTEGER PRIMARY KEY CHECK (id >= 1),
    member TEXT NOT NULL REFERENCES member (id),
    month TEXT NOT NULL,
    day TEXT NOT NULL,
    line TEXT NOT NULL,
    stated INTEGER NOT NULL,
    statement TEXT NOT NULL,
    reason TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL
) STRICT;

CREATE INDEX objection_member ON objection (member, month);

CREATE TABLE objection_decision (
    objection INTEGER PRIMARY KEY REFERENCES objection (id),
    board_member TEXT NOT NULL REFERENCES member (id),
    verdict TEXT NOT NULL CHECK (verdict IN ('accepted', 'rejected')),
    reason TEXT NOT NULL,
    decided_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER objection_is_kept BEFORE DELETE ON objection
BEGIN SELECT RAISE(ABORT, 'an objection is never deleted'); END;

CREATE TRIGGER objection_is_fixed BEFORE UPDATE ON objection
BEGIN SELECT RAISE(ABORT, 'an objection is never changed'); END;

CREATE TRIGGER objection_decision_is_kept BEFORE DELETE ON objection_decision
BEGIN SELECT RAISE(ABORT, 'a decision is never deleted'); END;

CREATE TRIGGER objection_decision_is_fixed BEFORE UPDATE ON objection_decision
BEGIN SELECT RAISE(ABORT, 'a decision is never changed'); END;
