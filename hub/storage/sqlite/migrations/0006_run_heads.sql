-- Everything of a run but its record, in an index of its own: listing runs must not walk over megabytes of records.

DROP INDEX run_day;
CREATE INDEX run_head ON run (
    day, position, run_key, kind, rule_hash, input_digest, result_hash, state, made_at, entries
);
