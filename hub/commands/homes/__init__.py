"""Commands about what homes are given."""
