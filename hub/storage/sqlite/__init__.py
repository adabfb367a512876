"""The SQLite backend of the storage contract, one module for each subject."""
