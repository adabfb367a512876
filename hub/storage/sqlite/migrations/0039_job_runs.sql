-- Each attempt of a job in the last days, with the process that made it, for the board's page about jobs.

CREATE TABLE job_run (
    name TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    began_at INTEGER NOT NULL,
    ended_at INTEGER,
    worker TEXT NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (name, due_at, began_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_run_began ON job_run (began_at);
