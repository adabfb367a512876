-- What was erased by the co-op's retention rule, and when. A home's signed messages keep their numbers and hashes, so that
-- the chains stay whole, and lose their bytes; the readings made from them go. A person's name, address and bank details go
-- once nothing is open. The guards below let nothing else through.
CREATE TABLE erasure (
    home TEXT PRIMARY KEY REFERENCES home (id),
    member TEXT NOT NULL REFERENCES member (id),
    left_at INTEGER NOT NULL,
    months INTEGER NOT NULL CHECK (months >= 16),
    messages INTEGER NOT NULL,
    erased_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE person_erasure (
    member TEXT PRIMARY KEY REFERENCES member (id),
    months INTEGER NOT NULL CHECK (months >= 16),
    erased_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER erasure_is_kept BEFORE DELETE ON erasure
BEGIN SELECT RAISE(ABORT, 'that something was erased is never deleted'); END;

CREATE TRIGGER erasure_is_fixed BEFORE UPDATE ON erasure
BEGIN SELECT RAISE(ABORT, 'what was erased is never changed'); END;

CREATE TRIGGER person_erasure_is_kept BEFORE DELETE ON person_erasure
BEGIN SELECT RAISE(ABORT, 'that something was erased is never deleted'); END;

CREATE TRIGGER person_erasure_is_fixed BEFORE UPDATE ON person_erasure
BEGIN SELECT RAISE(ABORT, 'what was erased is never changed'); END;

DROP TRIGGER message_is_fixed;
CREATE TRIGGER message_is_fixed BEFORE UPDATE ON message
WHEN length(NEW.sealed) > 0
OR (NEW.position, NEW.agent, NEW.epoch, NEW.seq, NEW.kind, NEW.hash, NEW.received_at)
    IS NOT (OLD.position, OLD.agent, OLD.epoch, OLD.seq, OLD.kind, OLD.hash, OLD.received_at)
OR (NEW.first_slot, NEW.last_slot, NEW.refused) IS NOT (OLD.first_slot, OLD.last_slot, OLD.refused)
OR NOT EXISTS (SELECT 1 FROM agent JOIN erasure ON erasure.home = agent.home_id WHERE agent.id = OLD.agent)
BEGIN SELECT RAISE(ABORT, 'a signed message is never changed'); END;

DROP TRIGGER account_is_fixed;
CREATE TRIGGER account_is_fixed BEFORE UPDATE ON account
WHEN NEW.name <> '' OR NEW.iban <> ''
OR (NEW.id, NEW.member, NEW.made_by, NEW.made_at) IS NOT (OLD.id, OLD.member, OLD.made_by, OLD.made_at)
OR NOT EXISTS (SELECT 1 FROM person_erasure WHERE member = OLD.member)
BEGIN SELECT RAISE(ABORT, 'an account is never changed'); END;
