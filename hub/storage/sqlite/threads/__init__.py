"""A SQLite file on a thread of its own, and the connection through which the store's modules speak to it."""
