-- Who adopted each rule, and when. A rule without its adoption is never in force. The founding act (nobody's name) is a
-- store's first rule alone; every other one names a member of the board and holds from a later day than its adoption.
CREATE TABLE rule_adoption (
    rule INTEGER PRIMARY KEY REFERENCES rule (position),
    rule_hash TEXT NOT NULL,
    valid_from_day TEXT NOT NULL,
    adopted_by TEXT NOT NULL,
    adopted_at INTEGER NOT NULL
) STRICT;

-- The releases before this step could not adopt any other rule.
INSERT INTO rule_adoption SELECT position, hash, valid_from_day, '', 0 FROM rule
WHERE position = (SELECT min(position) FROM rule);

CREATE TRIGGER rule_adoption_is_kept BEFORE DELETE ON rule_adoption
BEGIN SELECT RAISE(ABORT, 'a rule''s adoption is never deleted'); END;

CREATE TRIGGER rule_adoption_is_fixed BEFORE UPDATE ON rule_adoption
BEGIN SELECT RAISE(ABORT, 'a rule''s adoption is never changed'); END;
