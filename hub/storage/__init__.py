"""Storage for everything the hub must not lose: one contract, in a SQLite file or on a PostgreSQL server."""
