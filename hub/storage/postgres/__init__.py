"""The store in PostgreSQL: what is that database's own. The statements are those of hub/storage/sql."""
