-- Proposed sets of device maps that were taken back before they were released. Rows are added only.
CREATE TABLE map_withdrawal (
    proposal INTEGER PRIMARY KEY REFERENCES map_proposal (id),
    withdrawn_by TEXT NOT NULL,
    withdrawn_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER map_withdrawal_is_kept BEFORE DELETE ON map_withdrawal
BEGIN SELECT RAISE(ABORT, 'a withdrawal is never deleted'); END;

CREATE TRIGGER map_withdrawal_is_fixed BEFORE UPDATE ON map_withdrawal
BEGIN SELECT RAISE(ABORT, 'a withdrawal is never changed'); END;
