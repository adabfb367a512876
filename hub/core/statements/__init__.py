"""A member's statement of a month as plain data."""
