"""Commands for operating a hub: make it, run it, show its status, verify it, report on it."""
