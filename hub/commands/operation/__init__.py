"""Commands that operate a hub: make it, run it, show its status, verify it, report on it."""
