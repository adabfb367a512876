-- Several agents in one home. Each has a seat; whoever replaces it takes over its seat and with it its consent. The
-- agents that were there before share the first seat, as they shared the home's consent.
ALTER TABLE agent ADD COLUMN seat INTEGER NOT NULL DEFAULT 1 CHECK (seat >= 1);
DROP INDEX agent_live;
CREATE UNIQUE INDEX agent_live ON agent (home_id, seat) WHERE revoked_at IS NULL;

-- The invitation is for an agent beside those the home has.
ALTER TABLE invite ADD COLUMN is_further INTEGER NOT NULL DEFAULT 0 CHECK (is_further IN (0, 1));

CREATE TABLE seat_consent (
    home TEXT NOT NULL,
    seat INTEGER NOT NULL,
    version INTEGER NOT NULL,
    document BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (home, seat, version)
) STRICT, WITHOUT ROWID;
INSERT INTO seat_consent SELECT home, 1, version, document, received_at FROM consent;
DROP TABLE consent;
ALTER TABLE seat_consent RENAME TO consent;

CREATE TABLE seat_device (
    home TEXT NOT NULL,
    seat INTEGER NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    age_s INTEGER NOT NULL,
    reported_at INTEGER NOT NULL,
    PRIMARY KEY (home, seat, name)
) STRICT, WITHOUT ROWID;
INSERT INTO seat_device SELECT home, 1, name, state, age_s, reported_at FROM device;
DROP TABLE device;
ALTER TABLE seat_device RENAME TO device;

-- Which agent brings what a meter of the home counts, from the message after this position on and for slots from
-- `first_slot` on. `measure` is the meter's first one: the grid's two directions come from one meter, a battery's too.
CREATE TABLE measure_source (
    id INTEGER PRIMARY KEY,
    home TEXT NOT NULL REFERENCES home (id),
    measure INTEGER NOT NULL,
    agent TEXT NOT NULL REFERENCES agent (id),
    after_position INTEGER NOT NULL,
    first_slot INTEGER NOT NULL,
    since_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER measure_source_is_kept BEFORE DELETE ON measure_source
BEGIN SELECT RAISE(ABORT, 'who brought a measure is never forgotten'); END;

CREATE TRIGGER measure_source_is_fixed BEFORE UPDATE ON measure_source
BEGIN SELECT RAISE(ABORT, 'who brought a measure is never changed'); END;

-- What a home's only agent has brought so far is its own: no second agent can be quicker after the upgrade.
INSERT INTO measure_source (home, measure, agent, after_position, first_slot, since_at)
SELECT agent.home_id, meter.first, agent.id, (SELECT coalesce(max(position), 0) FROM message), 0, agent.enrolled_at
FROM agent CROSS JOIN (
    SELECT 1 AS first, 1 AS either UNION ALL SELECT 1, 2 UNION ALL SELECT 3, 3 UNION ALL SELECT 4, 4
    UNION ALL SELECT 5, 5 UNION ALL SELECT 5, 6 UNION ALL SELECT 7, 7
) AS meter
WHERE agent.revoked_at IS NULL AND EXISTS (SELECT 1 FROM reading
    WHERE reading.home = agent.home_id AND reading.measure = meter.either AND reading.energy_wh IS NOT NULL)
GROUP BY agent.home_id, meter.first ORDER BY agent.home_id, meter.first;
