-- What the processes of one hub share. No reading and no money is computed from any of it.

-- Who alone may do what: shards of agents, the timetable. Times are the database's own, in unix milliseconds.
CREATE TABLE lease (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    token INTEGER NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE process (
    id TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    machine TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    heard_ms INTEGER NOT NULL,
    wants_shards INTEGER NOT NULL,
    agents_ms INTEGER,
    facts TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Sealed messages until the process that has their shard has sent them.
CREATE TABLE outgoing (
    id TEXT PRIMARY KEY,
    shard INTEGER NOT NULL,
    topic TEXT NOT NULL,
    sealed BLOB NOT NULL,
    made_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX outgoing_shard ON outgoing (shard, made_ms);

-- Whose messages a home's meters are counted from is looked up by home in each commit of a home with several agents.
CREATE INDEX measure_source_home ON measure_source (home);
