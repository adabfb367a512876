-- What each agent told of its grid meter: the sealed notice, and what it says. Rows are added only.
CREATE TABLE meter_notice (
    id INTEGER PRIMARY KEY,
    agent TEXT NOT NULL REFERENCES agent (id),
    told_at INTEGER NOT NULL,
    from_slot INTEGER NOT NULL,
    quality TEXT NOT NULL,
    phases TEXT NOT NULL,
    legal_phases TEXT NOT NULL,
    is_derived INTEGER NOT NULL,
    metrology TEXT NOT NULL,
    sealed BLOB NOT NULL
) STRICT;

CREATE INDEX meter_notice_by_agent ON meter_notice (agent, id);

CREATE TRIGGER meter_notice_is_kept BEFORE DELETE ON meter_notice
BEGIN SELECT RAISE(ABORT, 'a notice of a meter is never deleted'); END;

CREATE TRIGGER meter_notice_is_fixed BEFORE UPDATE ON meter_notice
BEGIN SELECT RAISE(ABORT, 'a notice of a meter is never changed'); END;
