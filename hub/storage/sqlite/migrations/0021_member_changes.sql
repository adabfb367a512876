-- Who changed what about members, homes, roles and agents, and when. Members read it; rows are added only. `made_by` is
-- empty where nobody was named: the founding of the board, an agent that enrolled itself, a job of the hub.
CREATE TABLE member_change (
    id INTEGER PRIMARY KEY CHECK (id >= 1),
    at INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    kind TEXT NOT NULL,
    member TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;

CREATE INDEX member_change_kind ON member_change (kind, member);

CREATE TRIGGER member_change_is_kept BEFORE DELETE ON member_change
BEGIN SELECT RAISE(ABORT, 'a change to members is never deleted from their log'); END;

CREATE TRIGGER member_change_is_fixed BEFORE UPDATE ON member_change
BEGIN SELECT RAISE(ABORT, 'a change to members is never altered in their log'); END;
