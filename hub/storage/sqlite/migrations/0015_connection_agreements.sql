-- The most power of a home's grid connection, from its agreement, as the board entered it. Of two rows that are in force
-- in a slot, the later one counts; nothing is changed or deleted.
CREATE TABLE connection_agreement (
    id INTEGER PRIMARY KEY,
    home TEXT NOT NULL,
    power_w INTEGER NOT NULL CHECK (power_w > 0),
    since_slot INTEGER NOT NULL,
    board_member TEXT NOT NULL,
    entered_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER connection_agreement_is_kept BEFORE DELETE ON connection_agreement
BEGIN SELECT RAISE(ABORT, 'a connection agreement is never deleted'); END;

CREATE TRIGGER connection_agreement_is_fixed BEFORE UPDATE ON connection_agreement
BEGIN SELECT RAISE(ABORT, 'a connection agreement is never changed'); END;
