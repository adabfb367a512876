-- What the agents sent: the exact signed bytes (the proof) and the quarter-hour table made of them.

-- A message refused for its content keeps its place in the chain by its hash; nothing it said is kept.
CREATE TABLE message (
    position INTEGER PRIMARY KEY,
    agent TEXT NOT NULL REFERENCES agent (id),
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    sealed BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    first_slot INTEGER,
    last_slot INTEGER,
    refused TEXT,
    UNIQUE (agent, epoch, seq),
    CHECK (refused IS NULL OR (length(sealed) = 0 AND first_slot IS NULL))
) STRICT;

CREATE INDEX message_refused ON message (agent, epoch, seq, refused) WHERE refused IS NOT NULL;
CREATE INDEX message_received ON message (received_at, first_slot, last_slot) WHERE first_slot IS NOT NULL;

CREATE TRIGGER message_is_kept BEFORE DELETE ON message
BEGIN SELECT RAISE(ABORT, 'a signed message is never deleted'); END;

CREATE TRIGGER message_is_fixed BEFORE UPDATE ON message
BEGIN SELECT RAISE(ABORT, 'a signed message is never changed'); END;

CREATE TABLE chain_head (
    agent TEXT PRIMARY KEY REFERENCES agent (id),
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    last_slot INTEGER,
    last_received_at INTEGER NOT NULL,
    messages INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- span: quarter hours summed in the row, ending with `slot`; more than 1 where a household sends coarser values.
CREATE TABLE reading (
    home TEXT NOT NULL,
    measure INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    span INTEGER NOT NULL CHECK (span >= 1),
    energy_wh INTEGER CHECK (energy_wh >= 0),
    mark INTEGER NOT NULL,
    gap INTEGER NOT NULL,
    PRIMARY KEY (home, measure, slot, span),
    CHECK ((energy_wh IS NULL) = (mark = 3))
) STRICT, WITHOUT ROWID;

CREATE TABLE long_interval (
    home TEXT NOT NULL,
    measure INTEGER NOT NULL,
    first_slot INTEGER NOT NULL,
    slots INTEGER NOT NULL,
    energy_wh INTEGER NOT NULL CHECK (energy_wh >= 0),
    PRIMARY KEY (home, measure, first_slot, slots)
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    home TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    age_s INTEGER NOT NULL,
    reported_at INTEGER NOT NULL,
    PRIMARY KEY (home, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE consent (
    home TEXT NOT NULL,
    version INTEGER NOT NULL,
    document BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (home, version)
) STRICT, WITHOUT ROWID;

-- Never a value: how often, why, and what a person needs to find the cause.
CREATE TABLE refusal (
    agent TEXT NOT NULL,
    reason TEXT NOT NULL,
    count INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (agent, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE access_log (
    position INTEGER PRIMARY KEY,
    home TEXT NOT NULL,
    utc_day INTEGER NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    role TEXT NOT NULL,
    purpose TEXT NOT NULL,
    reason TEXT NOT NULL,
    fields TEXT NOT NULL,
    rows INTEGER NOT NULL,
    count INTEGER NOT NULL
) STRICT;

CREATE INDEX access_home ON access_log (home, at);
CREATE UNIQUE INDEX access_machine ON access_log (home, utc_day, actor, purpose) WHERE role = 'job';

CREATE TRIGGER access_is_kept BEFORE DELETE ON access_log
BEGIN SELECT RAISE(ABORT, 'the access log is never shortened'); END;
