-- Device maps that the board releases to homes: the files, which set one member of the board proposed, and what a
-- second one released of it. Rows are added only.
CREATE TABLE map_file (
    digest TEXT PRIMARY KEY,
    map TEXT NOT NULL,
    quality TEXT NOT NULL,
    text TEXT NOT NULL,
    added_by TEXT NOT NULL,
    added_at INTEGER NOT NULL
) STRICT;

CREATE TABLE map_proposal (
    id INTEGER PRIMARY KEY,
    follows INTEGER NOT NULL,
    digests TEXT NOT NULL,
    proposed_by TEXT NOT NULL,
    proposed_at INTEGER NOT NULL
) STRICT;

-- `serial` rises: agents never take a lower one. `bronze` is how many maps of the bundle are not proven.
CREATE TABLE map_release (
    serial INTEGER PRIMARY KEY,
    proposal INTEGER NOT NULL UNIQUE REFERENCES map_proposal (id),
    bronze INTEGER NOT NULL,
    bundle BLOB NOT NULL,
    released_by TEXT NOT NULL,
    released_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER map_file_is_kept BEFORE DELETE ON map_file
BEGIN SELECT RAISE(ABORT, 'an added map is never deleted'); END;

CREATE TRIGGER map_file_is_fixed BEFORE UPDATE ON map_file
BEGIN SELECT RAISE(ABORT, 'an added map is never changed'); END;

CREATE TRIGGER map_proposal_is_kept BEFORE DELETE ON map_proposal
BEGIN SELECT RAISE(ABORT, 'a proposed set of maps is never deleted'); END;

CREATE TRIGGER map_proposal_is_fixed BEFORE UPDATE ON map_proposal
BEGIN SELECT RAISE(ABORT, 'a proposed set of maps is never changed'); END;

CREATE TRIGGER map_release_is_kept BEFORE DELETE ON map_release
BEGIN SELECT RAISE(ABORT, 'a release of maps is never deleted'); END;

CREATE TRIGGER map_release_is_fixed BEFORE UPDATE ON map_release
BEGIN SELECT RAISE(ABORT, 'a release of maps is never changed'); END;
