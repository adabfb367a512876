-- Sums of each home's readings over hours (kind 1, UTC), days (2) and months (3, both local), made from the readings when
-- the period is over, and how many slots they cover. All homes of a period lie together: it ends for all of them at once.
CREATE TABLE period_sum (
    kind INTEGER NOT NULL CHECK (kind IN (1, 2, 3)),
    first_slot INTEGER NOT NULL,
    home TEXT NOT NULL,
    slots INTEGER NOT NULL CHECK (slots >= 1),
    grid_import_wh INTEGER,
    grid_import_slots INTEGER,
    grid_export_wh INTEGER,
    grid_export_slots INTEGER,
    pv_production_wh INTEGER,
    pv_production_slots INTEGER,
    wind_production_wh INTEGER,
    wind_production_slots INTEGER,
    battery_charge_wh INTEGER,
    battery_charge_slots INTEGER,
    battery_discharge_wh INTEGER,
    battery_discharge_slots INTEGER,
    submeter_wh INTEGER,
    submeter_slots INTEGER,
    PRIMARY KEY (kind, first_slot, home)
) STRICT, WITHOUT ROWID;

-- Until which slot a home's sums are made; a home that is not here was heard before there were any, and waits for them.
CREATE TABLE period_home (
    home TEXT PRIMARY KEY,
    through_slot INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
