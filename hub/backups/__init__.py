"""Backups of a whole hub: sealed, read back, kept for a while in one place, and restored from."""
