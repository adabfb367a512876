"""Storage for everything the hub must not lose: one contract, and SQLite as its backend."""
