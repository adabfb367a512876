"""The SQLite backend of the storage contract, one module a subject."""
