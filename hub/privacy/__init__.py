"""What the co-op tells its members about their data."""
