"""What a three-phase counter counts, and what the legal meter of the home counts."""
