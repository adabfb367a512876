"""A hub's data folder: settings, key, clock and store, opened together."""
