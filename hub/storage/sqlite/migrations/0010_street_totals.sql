-- The street's totals as they were published. A row is added once and never changed: whoever saw a total sees the same
-- total for ever, whatever arrives, is allowed or is withdrawn later.

-- The homes that shared their values when a local day began, as a JSON list.
CREATE TABLE street_day (
    day TEXT PRIMARY KEY,
    homes TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- `homes` are those whose sum was published, as a JSON list; `makers` is how many of them produced power.
CREATE TABLE street_total (
    slot INTEGER PRIMARY KEY,
    homes TEXT NOT NULL,
    makers INTEGER NOT NULL,
    sun_wh INTEGER NOT NULL,
    wind_wh INTEGER NOT NULL,
    used_wh INTEGER NOT NULL
) STRICT;

CREATE TRIGGER street_day_is_kept BEFORE DELETE ON street_day
BEGIN SELECT RAISE(ABORT, 'a published group is never deleted'); END;

CREATE TRIGGER street_day_is_fixed BEFORE UPDATE ON street_day
BEGIN SELECT RAISE(ABORT, 'a published group is never changed'); END;

CREATE TRIGGER street_total_is_kept BEFORE DELETE ON street_total
BEGIN SELECT RAISE(ABORT, 'a published total is never deleted'); END;

CREATE TRIGGER street_total_is_fixed BEFORE UPDATE ON street_total
BEGIN SELECT RAISE(ABORT, 'a published total is never changed'); END;
