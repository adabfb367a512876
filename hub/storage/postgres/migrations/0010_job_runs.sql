-- Each attempt of a job in the last days, with the process that made it, for the board's page about jobs.

CREATE TABLE job_run (
    name text COLLATE "C" NOT NULL,
    due_at bigint NOT NULL,
    began_at bigint NOT NULL,
    ended_at bigint,
    worker text COLLATE "C" NOT NULL,
    error text COLLATE "C" NOT NULL,
    PRIMARY KEY (name, due_at, began_at)
);
CREATE INDEX job_run_began ON job_run (began_at);
