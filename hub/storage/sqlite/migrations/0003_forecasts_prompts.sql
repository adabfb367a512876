-- What the hub expected, with which weather, and what it asked the households.

CREATE TABLE forecast (
    target TEXT NOT NULL,
    issued_slot INTEGER NOT NULL,
    first_slot INTEGER NOT NULL,
    until_slot INTEGER NOT NULL,
    quantiles TEXT NOT NULL,
    energy_wh BLOB NOT NULL,
    model TEXT NOT NULL,
    reason TEXT NOT NULL,
    drivers TEXT NOT NULL,
    weather_issued_at INTEGER,
    PRIMARY KEY (target, issued_slot)
) STRICT;

CREATE TABLE weather (
    hour_s INTEGER NOT NULL,
    issued_at INTEGER NOT NULL,
    temperature_c REAL NOT NULL,
    radiation_w_m2 REAL NOT NULL,
    wind_m_s REAL NOT NULL,
    PRIMARY KEY (hour_s, issued_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE appliance (
    home TEXT NOT NULL REFERENCES home (id),
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    energy_wh INTEGER NOT NULL,
    duration_slots INTEGER NOT NULL,
    usual_slot_of_day INTEGER NOT NULL,
    earliest_slot_of_day INTEGER NOT NULL,
    latest_slot_of_day INTEGER NOT NULL,
    is_asked INTEGER NOT NULL CHECK (is_asked IN (0, 1)),
    PRIMARY KEY (home, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE prompt (
    id TEXT PRIMARY KEY,
    home TEXT NOT NULL REFERENCES home (id),
    member TEXT NOT NULL,
    appliance TEXT NOT NULL,
    energy_wh INTEGER NOT NULL,
    usual_slot INTEGER NOT NULL,
    proposed_slot INTEGER NOT NULL,
    duration_slots INTEGER NOT NULL,
    relief_wh INTEGER NOT NULL,
    reasons TEXT NOT NULL,
    issued_slot INTEGER NOT NULL,
    answer_by_slot INTEGER NOT NULL,
    answer TEXT CHECK (answer IN ('yes', 'no', 'never_appliance')),
    answered_at INTEGER,
    measured_wh INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX prompt_issued ON prompt (issued_slot, home);

CREATE TABLE job (
    name TEXT PRIMARY KEY,
    due_at INTEGER NOT NULL,
    last_run_at INTEGER,
    last_error TEXT NOT NULL
) STRICT, WITHOUT ROWID;
