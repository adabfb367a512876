-- What decides whether members see a settlement run: written when the run is first shown, and never changed, so that a
-- later consent changes nothing about what was shown. `open_homes` let the other members see them (a JSON list),
-- `plants` belong to the co-op. Runs of
-- earlier releases were all shown to members; that cannot be taken back (`was_shown`).
CREATE TABLE run_group (
    run_key TEXT PRIMARY KEY,
    open_homes TEXT NOT NULL,
    plants TEXT NOT NULL,
    was_shown INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

INSERT INTO run_group SELECT run_key, '[]', '[]', 1 FROM run;

CREATE TRIGGER run_group_is_kept BEFORE DELETE ON run_group
BEGIN SELECT RAISE(ABORT, 'a published group is never deleted'); END;

CREATE TRIGGER run_group_is_fixed BEFORE UPDATE ON run_group
BEGIN SELECT RAISE(ABORT, 'a published group is never changed'); END;
