"""Where the hub keeps what it must not lose: one contract, two backends (SQLite by default)."""
