"""The command for a hub whose store is on a database server."""
