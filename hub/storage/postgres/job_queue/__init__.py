"""The queue of jobs on a server: pgqueuer's tables in a schema beside the co-op's own."""
