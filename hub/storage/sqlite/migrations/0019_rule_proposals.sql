-- What a member of the board proposed as the next rule. It is in force only once another member has adopted it: the
-- adoption has the same rule and first day. `follows` is the newest rule that the proposer saw.
CREATE TABLE rule_proposal (
    id INTEGER PRIMARY KEY,
    rule_hash TEXT NOT NULL,
    canonical BLOB NOT NULL,
    valid_from_day TEXT NOT NULL,
    follows INTEGER NOT NULL,
    source TEXT NOT NULL,
    proposed_by TEXT NOT NULL,
    proposed_at INTEGER NOT NULL,
    UNIQUE (rule_hash, valid_from_day)
) STRICT;

CREATE TRIGGER rule_proposal_is_kept BEFORE DELETE ON rule_proposal
BEGIN SELECT RAISE(ABORT, 'a proposed rule is never deleted'); END;

CREATE TRIGGER rule_proposal_is_fixed BEFORE UPDATE ON rule_proposal
BEGIN SELECT RAISE(ABORT, 'a proposed rule is never changed'); END;
