-- A home's people object to a new agent of theirs; its readings are not settled until the board decides. Rows are added only.
CREATE TABLE agent_objection (
    agent TEXT PRIMARY KEY REFERENCES agent (id),
    member TEXT NOT NULL REFERENCES member (id),
    reason TEXT NOT NULL,
    made_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE agent_objection_decision (
    agent TEXT PRIMARY KEY REFERENCES agent_objection (agent),
    board_member TEXT NOT NULL REFERENCES member (id),
    verdict TEXT NOT NULL CHECK (verdict IN ('counts', 'refused')),
    reason TEXT NOT NULL,
    decided_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER agent_objection_is_kept BEFORE DELETE ON agent_objection
BEGIN SELECT RAISE(ABORT, 'an objection is never deleted'); END;

CREATE TRIGGER agent_objection_is_fixed BEFORE UPDATE ON agent_objection
BEGIN SELECT RAISE(ABORT, 'an objection is never changed'); END;

CREATE TRIGGER agent_objection_decision_is_kept BEFORE DELETE ON agent_objection_decision
BEGIN SELECT RAISE(ABORT, 'a decision is never deleted'); END;

CREATE TRIGGER agent_objection_decision_is_fixed BEFORE UPDATE ON agent_objection_decision
BEGIN SELECT RAISE(ABORT, 'a decision is never changed'); END;
