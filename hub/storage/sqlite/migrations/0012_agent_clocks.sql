-- What each agent last said of its clock, compared with the hub's: shown to the board, used for nothing.

CREATE TABLE agent_clock (
    agent TEXT PRIMARY KEY REFERENCES agent (id),
    told_at INTEGER NOT NULL,
    ahead_s INTEGER NOT NULL,
    state TEXT NOT NULL
) STRICT, WITHOUT ROWID;
