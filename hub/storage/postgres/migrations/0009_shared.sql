-- What the processes of one hub share. No reading and no money is computed from any of it.

-- Who alone may do what: shards of agents, the timetable. Times are the database's own, in unix milliseconds.
CREATE TABLE lease (
    name text COLLATE "C" PRIMARY KEY,
    holder text COLLATE "C" NOT NULL,
    token bigint NOT NULL,
    until_ms bigint NOT NULL
);

CREATE TABLE process (
    id text COLLATE "C" PRIMARY KEY,
    role text COLLATE "C" NOT NULL,
    machine text COLLATE "C" NOT NULL,
    started_ms bigint NOT NULL,
    heard_ms bigint NOT NULL,
    wants_shards bigint NOT NULL,
    agents_ms bigint,
    facts text COLLATE "C" NOT NULL
);

-- Sealed messages until the process that has their shard has sent them.
CREATE TABLE outgoing (
    id text COLLATE "C" PRIMARY KEY,
    shard bigint NOT NULL,
    topic text COLLATE "C" NOT NULL,
    sealed bytea NOT NULL,
    made_ms bigint NOT NULL
);

CREATE INDEX outgoing_shard ON outgoing (shard, made_ms);

-- Whose messages a home's meters are counted from is looked up by home in each commit of a home with several agents.
CREATE INDEX measure_source_home ON measure_source (home);
