-- Sums of each home's readings over hours (kind 1, UTC), days (2) and months (3, both local), made from the readings when
-- the period is over, and how many slots they cover. All homes of a period lie together: it ends for all of them at once.
CREATE TABLE period_sum (
    kind bigint NOT NULL CHECK (kind IN (1, 2, 3)),
    first_slot bigint NOT NULL,
    home text COLLATE "C" NOT NULL,
    slots bigint NOT NULL CHECK (slots >= 1),
    grid_import_wh bigint,
    grid_import_slots bigint,
    grid_export_wh bigint,
    grid_export_slots bigint,
    pv_production_wh bigint,
    pv_production_slots bigint,
    wind_production_wh bigint,
    wind_production_slots bigint,
    battery_charge_wh bigint,
    battery_charge_slots bigint,
    battery_discharge_wh bigint,
    battery_discharge_slots bigint,
    submeter_wh bigint,
    submeter_slots bigint,
    PRIMARY KEY (kind, first_slot, home)
);

-- Until which slot a home's sums are made; a home that is not here was heard before there were any, and waits for them.
CREATE TABLE period_home (
    home text COLLATE "C" PRIMARY KEY,
    through_slot bigint NOT NULL
);
