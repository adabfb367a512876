-- Members' bank accounts and direct-debit mandates. Rows are added only: together they are the history, with who and when.

CREATE TABLE account (
    id INTEGER PRIMARY KEY CHECK (id >= 1),
    member TEXT NOT NULL REFERENCES member (id),
    name TEXT NOT NULL,
    iban TEXT NOT NULL,
    made_by TEXT NOT NULL REFERENCES member (id),
    made_at INTEGER NOT NULL
) STRICT;

CREATE INDEX account_member ON account (member);

CREATE TABLE mandate (
    id TEXT PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES account (id),
    signed_on TEXT NOT NULL,
    made_by TEXT NOT NULL REFERENCES member (id),
    made_at INTEGER NOT NULL
) STRICT;

CREATE TABLE mandate_end (
    mandate TEXT PRIMARY KEY REFERENCES mandate (id),
    made_by TEXT NOT NULL REFERENCES member (id),
    made_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER account_is_kept BEFORE DELETE ON account
BEGIN SELECT RAISE(ABORT, 'an account is never deleted'); END;

CREATE TRIGGER account_is_fixed BEFORE UPDATE ON account
BEGIN SELECT RAISE(ABORT, 'an account is never changed'); END;

CREATE TRIGGER mandate_is_kept BEFORE DELETE ON mandate
BEGIN SELECT RAISE(ABORT, 'a mandate is never deleted'); END;

CREATE TRIGGER mandate_is_fixed BEFORE UPDATE ON mandate
BEGIN SELECT RAISE(ABORT, 'a mandate is never changed'); END;

CREATE TRIGGER mandate_end_is_kept BEFORE DELETE ON mandate_end
BEGIN SELECT RAISE(ABORT, 'the end of a mandate is never deleted'); END;

CREATE TRIGGER mandate_end_is_fixed BEFORE UPDATE ON mandate_end
BEGIN SELECT RAISE(ABORT, 'the end of a mandate is never changed'); END;
