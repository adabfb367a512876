"""A member's monthly statement as plain data."""
