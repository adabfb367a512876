"""Checks all parts of a hub's folder together, and keeps the checkpoint from which the next check goes on."""
