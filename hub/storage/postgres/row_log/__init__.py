"""The log of rows in PostgreSQL: its triggers, and what the database tells of its schema and its pages."""
