-- Which proposals were taken back before anybody adopted them, by whom and when. Such a proposal can never be adopted.
CREATE TABLE rule_withdrawal (
    proposal INTEGER PRIMARY KEY REFERENCES rule_proposal (id),
    withdrawn_by TEXT NOT NULL,
    withdrawn_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER rule_withdrawal_is_kept BEFORE DELETE ON rule_withdrawal
BEGIN SELECT RAISE(ABORT, 'a withdrawal is never deleted'); END;

CREATE TRIGGER rule_withdrawal_is_fixed BEFORE UPDATE ON rule_withdrawal
BEGIN SELECT RAISE(ABORT, 'a withdrawal is never changed'); END;
